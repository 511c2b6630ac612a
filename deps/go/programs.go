//go:build programs

// Package programs names what tests need, one import a line, with the name that it gets in build/go.
package programs

import (
	_ "google.golang.org/grpc/interop/client" // grpc-interop-client
	_ "google.golang.org/grpc/interop/server" // grpc-interop-server
)

# Envoy's API, from the descriptors in the wheel of PyPI's xds-protos (deps/api/requirements.txt pins it).
#   api              C++ of the messages and fields that src/config/built.txt names
#   api_descriptors  all descriptors, their index and the table itself, embedded; read only while a configuration loads
set(OUTRIDER_XDS_WHEEL "" CACHE FILEPATH "the wheel of xds-protos 1.85.0; empty: the one in build/deps")
set(OUTRIDER_XDS_SHA256 e1e7bfd9936389936b2c85660d9db0dae380f12678a594b983da40dd472f1760)

set(wheel ${OUTRIDER_XDS_WHEEL})
if(NOT wheel)
  file(GLOB wheel ${CMAKE_SOURCE_DIR}/build/deps/xds_protos-*.whl)
endif()
if(NOT wheel)
  message(FATAL_ERROR "no wheel of xds-protos: python3 -m pip download --no-deps --require-hashes "
                      "-d build/deps -r deps/api/requirements.txt")
endif()
file(SHA256 ${wheel} found)
if(NOT found STREQUAL OUTRIDER_XDS_SHA256)
  message(FATAL_ERROR "${wheel} is not the pinned one: its sha256 is ${found}")
endif()

find_package(Protobuf REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
enable_language(ASM)

set(api_dir ${CMAKE_BINARY_DIR}/api)
set(api_scripts ${CMAKE_SOURCE_DIR}/deps/api)
set(api_table ${CMAKE_SOURCE_DIR}/src/config/built.txt)
file(MAKE_DIRECTORY ${api_dir}/include)

add_custom_command(
  OUTPUT ${api_dir}/envoy.fds ${api_dir}/envoy.index
  COMMAND ${Protobuf_PROTOC_EXECUTABLE} --include_imports --descriptor_set_out=${api_dir}/well_known.fds
          google/protobuf/any.proto google/protobuf/api.proto google/protobuf/descriptor.proto
          google/protobuf/duration.proto google/protobuf/empty.proto google/protobuf/field_mask.proto
          google/protobuf/source_context.proto google/protobuf/struct.proto google/protobuf/timestamp.proto
          google/protobuf/type.proto google/protobuf/wrappers.proto
  COMMAND Python3::Interpreter ${api_scripts}/descriptors.py ${wheel} ${api_dir}/well_known.fds ${api_dir}/envoy.fds
  COMMAND Python3::Interpreter ${api_scripts}/index.py ${api_dir}/envoy.fds ${api_dir}/envoy.index
  DEPENDS ${wheel} ${api_scripts}/descriptors.py ${api_scripts}/index.py ${api_scripts}/wire.py
  WORKING_DIRECTORY ${api_dir} VERBATIM COMMENT "Envoy's API descriptors")

set(api_units 2)
set(api_sources ${api_dir}/api_0.cc ${api_dir}/api_1.cc)
add_custom_command(
  OUTPUT ${api_sources}
  COMMAND Python3::Interpreter ${api_scripts}/generate.py ${Protobuf_PROTOC_EXECUTABLE} ${api_dir}/envoy.fds
          ${api_table} ${api_dir} ${api_units}
  DEPENDS ${api_dir}/envoy.fds ${api_table} ${api_scripts}/generate.py ${api_scripts}/prune.py
  VERBATIM COMMENT "C++ of Envoy's API")

add_library(api STATIC ${api_sources})
target_include_directories(api SYSTEM PUBLIC ${api_dir}/include)
target_compile_options(api PRIVATE -O1 -g0 -w)
target_link_libraries(api PUBLIC protobuf)

set(api_assembler ${api_dir}/descriptors.S)
file(CONFIGURE OUTPUT ${api_assembler} CONTENT [[
.section .rodata
.macro embed name, file
.global \name, \name\()_end
.balign 16
\name: .incbin "\file"
\name\()_end: .byte 0
.endm
embed outrider_envoy_descriptors, "@api_dir@/envoy.fds"
embed outrider_envoy_index, "@api_dir@/envoy.index"
embed outrider_built_table, "@api_table@"
.section .note.GNU-stack,"",@progbits
]] @ONLY)
set_source_files_properties(${api_assembler} PROPERTIES
  OBJECT_DEPENDS "${api_dir}/envoy.fds;${api_dir}/envoy.index;${api_table}")
add_library(api_descriptors STATIC ${api_assembler})

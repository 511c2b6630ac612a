// Which hosts of a cluster are chosen: by their health, and by their metadata; private to compile_cluster.cc.
#pragma once
#include <memory>

#include "config/compile_parts.h"
#include "upstream/cluster.h"
#include "upstream/outlier.h"
#include "upstream/subset.h"

namespace outrider::config {

// Null: the cluster wants none. `options`: what has been read of the cluster's own way to speak HTTP. `prefix`: of its
// statistics.
std::shared_ptr<const HealthCheckOptions> compile_health_check(Compilation& c,
                                                               const envoy::config::cluster::v3::Cluster& cluster,
                                                               const std::string& path, const ClusterOptions& options,
                                                               const std::string& prefix);
std::shared_ptr<const SubsetOptions> compile_subsets(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster,
                                                     const std::string& path);
std::shared_ptr<const OutlierOptions> compile_outlier_detection(const envoy::config::cluster::v3::Cluster& cluster);

}  // namespace outrider::config

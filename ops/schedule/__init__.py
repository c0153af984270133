"""When the workloads run: launchd plists and Kubernetes CronJobs."""

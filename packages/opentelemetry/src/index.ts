export * as Prometheus from "./Prometheus.js"

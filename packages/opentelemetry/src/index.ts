export * as LifelineTelemetry from "./LifelineTelemetry.js"
export * as Names from "./Names.js"
export * as Prometheus from "./Prometheus.js"
export * as ServerOperations from "./ServerOperations.js"

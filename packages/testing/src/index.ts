export * as Ledger from "./Ledger.js"
export * as ScriptedConnector from "./ScriptedConnector.js"
export * as Simulation from "./Simulation.js"

/** What the API says, as the gateway itself has it. */
import type { Tool } from "../../api/Api.js"
import type { Entry } from "../../api/EventLog.js"
import type { GatewayStatus, Replica, Runtime, Server, StatusUpdate } from "../../api/GatewayStatus.js"

export type Status = GatewayStatus
export type ServerStatus = Server
export type StateChange = Server["history"][number]
export type State = Server["state"]
export type GatewayEvent = Entry
export type { Replica, Runtime, StatusUpdate, Tool }

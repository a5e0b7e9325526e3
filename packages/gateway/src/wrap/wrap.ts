/**
 * `mcp-lifeline wrap`: one server behind one host, until the host has gone.
 */
import { Backend, type Connection, type ConnectOptions, type Connector } from "@mcp-lifeline/core"
import type { Incoming, SdkConnection } from "@mcp-lifeline/protocol"
import { Cause, Deferred, Effect, Logger, LogLevel, Option, type Scope, Stream } from "effect"
import { Framing } from "@mcp-lifeline/transport-stdio"
import * as Output from "../Output.js"
import type { Wrap } from "./Arguments.js"
import { Bridge, type Client } from "./Bridge.js"
import { keyOf, KnownServer, type Store } from "./KnownServer.js"
import * as Server from "./Server.js"
import { StdioHost } from "./StdioHost.js"

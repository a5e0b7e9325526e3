import { describe, it } from "@effect/vitest"
import { StdioConnector } from "@mcp-lifeline/transport-stdio"
import { Effect } from "effect"
import { everything } from "../../testing/test/support/Built.js"
import * as ClientSide from "../../testing/test/support/ClientSide.js"
import { connected } from "./support.js"

// Its timers outlive the end of stdin, which is not what is tested here.
const stdinGrace = "100 millis"
const connector = StdioConnector.make({ command: process.execPath, args: [everything, "stdio"], stdinGrace })

describe.concurrent("the client side of the protocol, with the reference server", () => {
  it.scopedLive("[C1:real] tools, prompts, resources, templates, completion, ping, progress", () =>
    ClientSide.requests(connector))

  it.scopedLive("[C1:real] subscriptions and the logging level", () => ClientSide.standing(connector))

  it.scopedLive("[C1:real] a tool that needs a task: its question, its result, its cancellation", () =>
    ClientSide.task(connector))

  it.scopedLive("[C1:real] the server asks: sampling, elicitation, roots", () => ClientSide.serverRequests(connector))

  it.scopedLive("[C8:real] capabilities are declared from the handlers that are given", () =>
    ClientSide.capabilities(connector))

  it.scopedLive("[C8:real] after a kill the handler of the current generation is asked, once", () =>
    ClientSide.generations(
      connector,
      (backend) => Effect.map(connected(backend), (pid) => void process.kill(pid, "SIGKILL"))
    ))
})

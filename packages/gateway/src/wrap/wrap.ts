/**
 * `mcp-lifeline wrap`: one server behind one host, until the host has gone.
 */
import { Backend, type Connector } from "@mcp-lifeline/core"
import type { Incoming } from "@mcp-lifeline/protocol"
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"
import type { Scope } from "effect"
import { Deferred, Effect, Option, Stream } from "effect"
import { StartError, type UsageError } from "../Errors.js"
import { StateFolder } from "../state/StateFolder.js"
import type { Wrap } from "./Arguments.js"
import { Bridge, type Client } from "./Bridge.js"
import { Eras } from "./Eras.js"
import { Kept, keyOf, KnownServer } from "./KnownServer.js"
import * as Server from "./Server.js"
import { StdioHost } from "./StdioHost.js"

/** How long what the host has asked may take once it has closed its end, in milliseconds. */
const lastAnswers = 500

/** So many attempts to start a server that has never answered are enough to call it no server. */
const enough = 2

/** Ends with why a backend cannot be connected unless a person does something. */
const hopeless = (backend: Backend.Backend): Effect.Effect<string> =>
  backend.status.changes.pipe(
    Stream.filterMap(({ connectionCount, errorCount, lastError, state, transport }) =>
      state === "PermanentlyFailed" || (transport === "stdio" && connectionCount === 0 && errorCount >= enough)
        ? Option.some(lastError ?? "the server cannot be used")
        : Option.none()
    ),
    Stream.runHead,
    Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
  )

/** Supervises the server for a client of the host. */
const open = (name: string, connector: Connector, client: Client, incoming: Incoming) =>
  Backend.make(name, {
    connector: incoming.around(connector),
    clientInfo: client.clientInfo,
    capabilities: client.capabilities,
    discovery: { mode: "learn" }
  }).pipe(Effect.orDie)

/** What is known of the server for a client, from the state folder. */
const know = (connector: Connector, client: Client) =>
  Effect.gen(function*() {
    const folder = yield* StateFolder
    const kept = folder.collection("servers", Kept)
    const runtime = yield* Effect.runtime<never>()
    const key = keyOf({
      transport: connector.transport,
      target: connector.target,
      cwd: process.cwd(),
      protocolVersion: client.protocolVersion,
      clientName: client.clientInfo.name,
      capabilities: client.capabilities
    })
    // One at a time, so that the last one is what stays.
    const writing = yield* Effect.makeSemaphore(1)
    return new KnownServer(
      Option.getOrUndefined(yield* kept.get(key)),
      (value) => Effect.runFork(Effect.provide(writing.withPermits(1)(kept.set(key, value)), runtime))
    )
  })

/** Stands between the host and the server until the host closes its end. */
export const run = (wrap: Wrap): Effect.Effect<void, StartError | UsageError, Scope.Scope | StateFolder> =>
  Effect.gen(function*() {
    const name = Server.nameOf(wrap)
    const connector = yield* Server.connector(wrap, (line) => void process.stderr.write(`${line}\n`))
    const runtime = yield* Effect.runtime<Scope.Scope | StateFolder>()
    const over = yield* Deferred.make<void, StartError>()
    const bridge = (write: (message: JSONRPCMessage) => void): Bridge =>
      new Bridge({
        name,
        runtime,
        write,
        know: (client) => Effect.provide(know(connector, client), runtime),
        open: (client, incoming) => Effect.provide(open(name, connector, client, incoming), runtime),
        hopeless,
        onFailed: (message) => Deferred.unsafeDone(over, Effect.fail(new StartError({ message })))
      })
    const eras = new Eras(name, bridge, (message) => host.write(message))
    const host: StdioHost = new StdioHost(process.stdin, process.stdout, {
      onMessage: (message) => eras.receive(message),
      onEnd: (why) =>
        Deferred.unsafeDone(
          over,
          why === "stdin" ? Effect.void : Effect.fail(new StartError({ message: "the host reads no answers any more" }))
        )
    })
    yield* Effect.addFinalizer(() => Effect.promise(() => host.flushed()))
    yield* Effect.ensuring(
      Effect.zipRight(
        Deferred.await(over),
        Effect.timeoutOption(Effect.promise(() => eras.settled()), lastAnswers)
      ),
      Effect.sync(() => eras.end())
    )
  })

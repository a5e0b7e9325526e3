/** Makes connections of either era, with the official SDK or without it. */
import type { ConnectError, Connection, SuspendedSession } from "@mcp-lifeline/core"
import type { Scope } from "effect"
import { Effect } from "effect"
import type { AdapterTransport } from "./AdapterTransport.js"
import type { Answer } from "./Answers.js"
import type { EraMemory } from "./EraMemory.js"
import * as Session from "./Session.js"
import type { SpeaksSessions } from "./SpeaksSessions.js"

type Made<E = never> = Effect.Effect<Connection, ConnectError | E, Scope.Scope>

export interface Binding {
  readonly connect: (transport: AdapterTransport, options: Session.Options) => Made
  readonly resume: (
    transport: AdapterTransport,
    options: Session.Options,
    session: SuspendedSession
  ) => Effect.Effect<Connection | Session.NotResumedReason, ConnectError, Scope.Scope>
  readonly connectStateless: (
    transport: AdapterTransport,
    kind: "http" | "stdio",
    options: Session.Options,
    discovered?: Answer
  ) => Made<SpeaksSessions>
  readonly connectAuto: (make: () => AdapterTransport, memory: EraMemory, options: Session.Options) => Made
}

// What a program with `protocol: "2025"` never loads.
const stateless = Effect.promise(() => import("./StatelessConnection.js"))
const auto = Effect.promise(() => import("./AutoConnection.js"))

export const make = (parts: Session.Parts): Binding => ({
  connect: (...given) => Session.connect(parts, ...given),
  resume: (...given) => Session.resume(parts, ...given),
  connectStateless: (...given) => Effect.flatMap(stateless, ({ connect }) => connect(parts, ...given)),
  connectAuto: (...given) => Effect.flatMap(auto, ({ connect }) => connect(parts, ...given))
})

const loading = (parts: () => Promise<{ readonly parts: Session.Parts }>): Effect.Effect<Binding> => {
  let loaded: Binding | undefined
  return Effect.suspend(() =>
    loaded === undefined
      ? Effect.promise(async () => loaded = make((await parts()).parts))
      : Effect.succeed(loaded)
  )
}

const raw = loading(() => import("./rawParts.js"))
const sdk = loading(() => import("./sdkParts.js"))

/** Loads the official SDK only if the client does not decode results and answer requests itself. */
export const load = ({ relay }: Session.Options): Effect.Effect<Binding> => relay?.isRaw === true ? raw : sdk

import type { Backend, Extension, Status } from "@mcp-lifeline/core"
import { Check, Problem } from "@mcp-lifeline/core/options"
import { Config, Context, Effect, type Option } from "effect"
import * as PinnedConnector from "./pins/PinnedConnector.js"
import { PinnedTools } from "./pins/PinnedTools.js"
import type { PinsStatus, PinStatus } from "./PinStatus.js"
import * as PinStore from "./PinStore.js"

export interface Service {
  readonly status: Effect.Effect<PinStatus>
  /**
   * Approves the definitions as they are now. Returns the names of the tools that were not approved. If what was approved cannot be read,
   * what is known here replaces it; if nothing is known, it is removed, and the tools listed next count as approved.
   */
  readonly approve: Effect.Effect<ReadonlyArray<string>>
}

/** From `backend.extension(Pins.Pins)`. */
export class Pins extends Context.Tag("@mcp-lifeline/extensions/Pins")<Pins, Service>() {}

const serviceOf = (tools: PinnedTools): Service => ({
  status: Effect.sync(() => tools.status),
  approve: tools.approve
})

const checkMode = Check.oneOf("warn", "block")

export interface Options {
  /**
   * What becomes of a tool that is not as it was approved. `warn`: Lifeline says how it has changed. `block`: it also withholds the tool,
   * neither listed nor callable, until it is approved.
   */
  readonly mode: "warn" | "block"
  /** Default: as long as the backend lives. */
  readonly store?: ((backend: string) => PinStore.PinStore) | undefined
}

/**
 * The first list that Lifeline reads counts as approved.
 *
 * @example
 * import { Backend, type Connector } from "@mcp-lifeline/core"
 * import { Pins } from "@mcp-lifeline/extensions"
 * import { Effect } from "effect"
 *
 * export const program = (connector: Connector) =>
 *   Effect.gen(function*() {
 *     const docs = yield* Backend.make("docs", { connector, extensions: [Pins.make({ mode: "block" })] })
 *     const pins = yield* docs.extension(Pins.Pins)
 *     const { warning } = yield* pins.status
 *     yield* Effect.log(warning ?? "its tools are as they were approved")
 *     return yield* pins.approve
 *   })
 */
export const make = ({ mode, store }: Options): Extension.Extension<Pins, Service> => ({
  tag: Pins,
  install: ({ backend, changed, offers, policy }) =>
    Effect.gen(function*() {
      const wrong = checkMode(mode, ["pin"])
      if (Problem.some(wrong)) return yield* Problem.refuse(backend, wrong)
      const tools = new PinnedTools({
        server: backend,
        mode,
        maxDepth: policy.discovery.maxDepth,
        store: store?.(backend) ?? PinStore.memory(),
        isOffered: (tool) => offers.has("tools", tool)
      })
      yield* Effect.acquireRelease(
        Effect.sync(() => tools.changed.listen(changed)),
        (stop) => Effect.sync(stop)
      )
      return {
        service: serviceOf(tools),
        around: (connector) => PinnedConnector.around(connector, { backend, policy, pins: tools }),
        status: (): PinsStatus => ({ pins: tools.status }),
        withheld: () => tools.withheld
      }
    })
})

export const fromOption = (
  mode: Options["mode"] | "off" | undefined,
  store?: Options["store"]
): ReadonlyArray<Extension.Any> => mode === undefined || mode === "off" ? [] : [make({ mode, store })]

/** From Effect's configuration, for `fromOption`. Default `off`. */
export const config: Config.Config<Options["mode"] | "off"> = Config.withDefault(
  Config.literal("off", "warn", "block")("pin"),
  "off"
)

export const of = (backend: Backend.Backend): Option.Option<Service> => backend.extension(Pins)

export const statusOf = (status: Status): PinStatus | undefined => (status as Status & PinsStatus).pins

export interface Kept extends Pick<Service, "approve"> {
  readonly status: PinStatus
}

/** As they are kept: for a server that is not supervised here. */
export const read = (
  server: string,
  mode: Options["mode"],
  store: PinStore.PinStore
): Effect.Effect<Kept> => {
  const tools = new PinnedTools({ server, mode, maxDepth: Number.MAX_SAFE_INTEGER, store })
  return Effect.map(tools.reload, () => ({ ...serviceOf(tools), status: tools.status }))
}

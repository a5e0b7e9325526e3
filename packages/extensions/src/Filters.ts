import type { Extension, Kind, Status } from "@mcp-lifeline/core"
import { SafeLog } from "@mcp-lifeline/core/internal"
import { Problem } from "@mcp-lifeline/core/options"
import { Context, Effect, Runtime } from "effect"
import type { ListFilter as Given } from "./ExtensionOptions.js"
import { decode, FilteredLists } from "./filters/FilteredLists.js"
import * as ListFilter from "./filters/ListFilter.js"
import type { FiltersStatus, FilterStatus, UnmatchedPattern } from "./FilterStatus.js"

export interface Options {
  readonly tools?: Given | undefined
  readonly prompts?: Given | undefined
  /** By URIs; templates by their text. A pattern such as `db://{table}/rows` also matches the URIs of such a template. */
  readonly resources?: Given | undefined
}

export interface Service {
  /** By its key, whether the server has it or not. */
  readonly offers: (kind: Kind, key: string) => boolean
}

/** From `backend.extension(Filters.Filters)`. */
export class Filters extends Context.Tag("@mcp-lifeline/extensions/Filters")<Filters, Service>() {}

const problems = (options: Options): ReadonlyArray<Problem.Problem> =>
  ListFilter.filtered.flatMap((kind) =>
    options[kind] === undefined ? [] : ListFilter.check(kind)(options[kind], [kind])
  )

export const describe = (unmatched: ReadonlyArray<UnmatchedPattern>): string =>
  unmatched.map(ListFilter.describe).join(". ")

/**
 * Hides tools, prompts and resources: they are in no list, and a request for one is refused like one for something that the server does not
 * have, without asking the server.
 *
 * @example
 * import { Backend, type Connector } from "@mcp-lifeline/core"
 * import { Filters } from "@mcp-lifeline/extensions"
 *
 * export const files = (connector: Connector) =>
 *   Backend.make("files", { connector, extensions: [Filters.make({ tools: { hide: ["delete_*"] } })] })
 */
export const make = (options: Options): Extension.Extension<Filters, Service> => ({
  tag: Filters,
  install: ({ backend, changed }) =>
    Effect.gen(function*() {
      const found = problems(options)
      if (Problem.some(found)) return yield* Problem.refuse(backend, found)
      const runtime = yield* Effect.runtime<never>()
      const warn = SafeLog.newWarnings(backend, keyOf, describe)
      const lists = new FilteredLists(decode(options), {
        changed,
        read: (unmatched) => void Runtime.runFork(runtime)(warn(unmatched))
      })
      return {
        service: { offers: (kind, key) => lists.has(kind, key) },
        offering: lists,
        status: (catalog): FiltersStatus => ({ filters: catalog === undefined ? unknown : statusWith(lists) })
      }
    })
})

const keyOf = ({ kind, option, pattern }: UnmatchedPattern): string => `${kind} ${option} ${pattern}`

const unknown: FilterStatus = { hidden: undefined, unmatched: [], warning: undefined }

const statusWith = ({ hidden, unmatched }: FilteredLists): FilterStatus => ({
  hidden,
  unmatched,
  warning: unmatched.length === 0 ? undefined : describe(unmatched)
})

const isOpen = (options: Options): boolean =>
  problems(options).length === 0 && Object.values(decode(options)).every(ListFilter.isOpen)

export const fromOptions = (options: Options): ReadonlyArray<Extension.Any> => isOpen(options) ? [] : [make(options)]

/** For answers kept from an earlier run. */
export const ofResults = (options: Options): Extension.Offering["result"] => {
  const lists = new FilteredLists(decode(options))
  return (method, result) => lists.result(method, result)
}

export const statusOf = (status: Status): FilterStatus | undefined => (status as Status & FiltersStatus).filters

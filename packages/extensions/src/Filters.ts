/**
 * Offers callers a part of what a server has.
 */
import type { Extension, Kind, Status } from "@mcp-lifeline/core"
import { Problem, SafeLog } from "@mcp-lifeline/core/internal"
import { Context, Effect, Runtime } from "effect"
import type { ListFilter as Given } from "./ExtensionOptions.js"
import { decode, FilteredLists } from "./filters/FilteredLists.js"
import * as ListFilter from "./filters/ListFilter.js"
import type { FiltersStatus, FilterStatus, UnmatchedPattern } from "./FilterStatus.js"

/** What callers are offered of each list. */
export interface Options {
  /** By the names of tools. */
  readonly tools?: Given | undefined
  /** By the names of prompts. */
  readonly prompts?: Given | undefined
  /**
   * By URIs; templates by their text. A pattern with expressions, such as `db://{table}/rows`, also matches the URIs that such a template
   * stands for.
   */
  readonly resources?: Given | undefined
}

/** What programs can ask of the filters of a backend. */
export interface Service {
  /** Whether callers are offered an entry, by its key, whether the server has it or not. */
  readonly offers: (kind: Kind, key: string) => boolean
}

/** The filters of a backend: `backend.extension(Filters.Filters)`. */
export class Filters extends Context.Tag("@mcp-lifeline/extensions/Filters")<Filters, Service>() {}

const problems = (options: Options): ReadonlyArray<Problem.Problem> =>
  ListFilter.filtered.flatMap((kind) =>
    options[kind] === undefined ? [] : ListFilter.check(kind)(options[kind], [kind])
  )

/** In a sentence each. */
export const describe = (unmatched: ReadonlyArray<UnmatchedPattern>): string =>
  unmatched.map(ListFilter.describe).join(". ")

/**
 * Hides tools, prompts and resources from callers. What is hidden is in no list, and a request for it is refused like one for something that
 * the server does not have, without asking the server.
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
      const warnings = new SafeLog.NewWarnings(backend, keyOf, describe)
      const lists = new FilteredLists(decode(options), {
        changed,
        read: (unmatched) => void Runtime.runFork(runtime)(warnings.read(unmatched))
      })
      return {
        service: { offers: (kind, key) => lists.has(kind, key) },
        offering: lists,
        status: (catalog): FiltersStatus => ({ filters: catalog === undefined ? unknown : statusWith(lists) })
      }
    })
})

const keyOf = ({ kind, option, pattern }: UnmatchedPattern): string => `${kind} ${option} ${pattern}`

/** Without a catalogue. */
const unknown: FilterStatus = { hidden: undefined, unmatched: [], warning: undefined }

const statusWith = ({ hidden, unmatched }: FilteredLists): FilterStatus => ({
  hidden,
  unmatched,
  warning: unmatched.length === 0 ? undefined : describe(unmatched)
})

/** Whether these options hide nothing. What is wrong is refused later. */
const isOpen = (options: Options): boolean =>
  problems(options).length === 0 && Object.values(decode(options)).every(ListFilter.isOpen)

/** The extensions of a server with these options. */
export const fromOptions = (options: Options): ReadonlyArray<Extension.Any> => isOpen(options) ? [] : [make(options)]

/** What callers get of answers that were kept from an earlier run. */
export const ofResults = (options: Options): Extension.Offering["result"] => {
  const lists = new FilteredLists(decode(options))
  return (method, result) => lists.result(method, result)
}

/** What the status of a backend says of its filters. */
export const statusOf = (status: Status): FilterStatus | undefined => (status as Status & FiltersStatus).filters

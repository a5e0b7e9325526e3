/**
 * Which lists a client has to be told of: those that differ from what it may have read.
 */
import type { Catalog } from "@mcp-lifeline/core"
import type { ServerCapabilities } from "@modelcontextprotocol/sdk/types.js"
import { isDeepStrictEqual } from "node:util"

type Snapshot = Catalog.Snapshot
type Kind = "tools" | "prompts" | "resources"

const kinds: ReadonlyArray<Kind> = ["tools", "prompts", "resources"]

const same = (a: Snapshot, b: Snapshot, kind: Kind): boolean =>
  isDeepStrictEqual(a[kind], b[kind]) &&
  (kind !== "resources" || isDeepStrictEqual(a.resourceTemplates, b.resourceTemplates))

/** The catalogues of one backend in the order in which they are published. */
export class ListChanges {
  readonly #declared: ServerCapabilities
  readonly #generation: number
  #known: Snapshot | undefined

  /** `declared`: what the client was told that the server can do; `generation`: the connection that it was told by. */
  constructor(declared: ServerCapabilities, generation: number) {
    this.#declared = declared
    this.#generation = generation
  }

  /** Takes the next catalogue; gives the notifications that are due. */
  next(snapshot: Snapshot | undefined): ReadonlyArray<string> {
    if (snapshot === undefined || snapshot.stale) return []
    const before = this.#known
    this.#known = snapshot
    return kinds
      .filter((kind) => this.#declared[kind] !== undefined && this.#isNews(before, snapshot, kind))
      .map((kind) => `notifications/${kind}/list_changed`)
  }

  #isNews(before: Snapshot | undefined, snapshot: Snapshot, kind: Kind): boolean {
    // The client may have read the lists of a connection that was lost before we had read them.
    if (before === undefined) return snapshot.generation !== this.#generation
    // What the server announces itself has been passed on.
    if (before.generation === snapshot.generation && snapshot.capabilities[kind]?.listChanged === true) return false
    return !same(before, snapshot, kind)
  }
}

/** How far a client has read each list, so that no cursor leads it back to a page that it has. */
import { Listing } from "@mcp-lifeline/core/internal"
import { ExactJson } from "@mcp-lifeline/core/text"
import { Predicate } from "effect"
import { isList, type ListMethod, lists } from "../listMethods.js"

export class Listings {
  /** Called with each result, as the client gets it. */
  onResult: ((method: string, params: unknown, result: unknown) => void) | undefined
  /** Called once for each kind in which the server repeats a cursor: the list ends there. */
  onRepeated: ((list: string) => void) | undefined
  readonly #unfinished = new Map<ListMethod, Listing.Listing>()
  readonly #told = new Set<ListMethod>()

  /** Returns the same for all that is no page, and for a page with a new cursor or none. */
  result<R>(method: string, params: unknown, result: R): R {
    const given = this.#given(method, params, result)
    this.onResult?.(method, params, given)
    return given
  }

  #given<R>(method: string, params: unknown, result: R): R {
    if (!isList(method) || !Predicate.isRecord(result)) return result
    const given = Predicate.isRecord(params) ? params["cursor"] : undefined
    const cursor = typeof given === "string" ? given : undefined
    const begun = this.#unfinished.get(method)
    const listing = begun !== undefined && begun.next === cursor ? begun : Listing.begin(lists[method], cursor)
    const page = Listing.take(listing, result)
    if (listing.repeats && !this.#told.has(method)) {
      this.#told.add(method)
      this.onRepeated?.(lists[method])
    }
    if (listing.next === undefined) this.#unfinished.delete(method)
    else this.#unfinished.set(method, listing)
    return page === result ? result : ExactJson.copied(result, page) as R
  }
}

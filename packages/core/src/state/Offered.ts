/** By all extensions; and who hears of changes. (G19) */
import type { Lists, Snapshot } from "../catalog/Catalog.js"
import type { Kind } from "../catalog/Kind.js"
import { RemoteError } from "../Errors.js"
import type { Offering } from "../options/Extension.js"
import type { Connection } from "../port/Connection.js"
import type { Offers } from "../port/Connector.js"
import type { ServerNotification } from "../port/Report.js"

type Listed = Lists & Pick<Snapshot, "truncated">

export class Offered implements Offers {
  readonly #all: Array<Offering> = []
  readonly #announced = new Set<(notification: ServerNotification) => void>()
  /** As the server gave them; kept only where callers may get others. */
  #listed: Lists | undefined

  add(offering: Offering): void {
    this.#all.push(offering)
  }

  get isAll(): boolean {
    return this.#all.length === 0
  }

  has(kind: Kind, key: string): boolean {
    return this.#all.every((one) => one.has(kind, key))
  }

  read(lists: Listed, from: Connection): Lists {
    if (this.isAll) return lists
    this.#listed = lists
    return this.#of(lists, from)
  }

  only<A extends Listed>(lists: A): A {
    return this.isAll ? lists : { ...lists, ...this.#of(lists) }
  }

  get listed(): Lists | undefined {
    return this.#listed
  }

  #of(lists: Listed, from?: Connection): Lists {
    const { truncated } = lists
    let offered: Lists = lists
    for (const one of this.#all) offered = one.lists({ ...offered, truncated }, from)
    return offered
  }

  result<A>(method: string, result: A): A {
    return this.#all.reduce((rest, one) => one.result(method, rest), result)
  }

  refusal(backend: string, method: string, params: unknown): RemoteError | undefined {
    if (this.isAll) return undefined
    for (const one of this.#all) {
      const refusal = one.refusal(method, params)
      if (refusal !== undefined) return new RemoteError({ backend, method, ...refusal })
    }
    return undefined
  }

  passes(notification: ServerNotification): boolean {
    return this.#all.every((one) => one.passes(notification))
  }

  announce(notification: ServerNotification): void {
    for (const listener of this.#announced) listener(notification)
  }

  /** Must not throw. Returns what ends it. */
  onAnnounced(listener: (notification: ServerNotification) => void): () => void {
    this.#announced.add(listener)
    return () => this.#announced.delete(listener)
  }

  end(): void {
    this.#announced.clear()
  }
}

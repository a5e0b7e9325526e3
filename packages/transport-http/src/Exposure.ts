/**
 * Credentials that go over plain HTTP to another machine: everybody on the way can read them, so people are told: in the log once, and in the status.
 */
import { Effect, Redacted } from "effect"
import type * as Credentials from "./Credentials.js"

const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/** Words in the names of headers that carry secrets. */
const secretName = /auth|token|secret|key|cookie|password|credential/i

/** What one connector sends, over all of its connections. */
export class Exposure {
  readonly #target: string
  readonly #isPlain: boolean
  /** Headers that the options call secret, whatever their names are. */
  readonly #secrets: ReadonlySet<string>
  /** The headers with secrets that were the first to be sent so. */
  #sent: ReadonlyArray<string> | undefined

  /** `target`: the address for people. */
  constructor(url: URL, target: string, headers: Readonly<Record<string, unknown>>) {
    this.#target = target
    this.#isPlain = url.protocol === "http:" && !loopback.test(url.hostname)
    this.#secrets = new Set(
      Object.entries(headers).flatMap(([name, value]) =>
        Redacted.isRedacted(value) || Effect.isEffect(value) ? [name.toLowerCase()] : []
      )
    )
  }

  /** The same credentials, with one warning in the log when a secret is about to be sent for the first time. */
  watch(credentials: Credentials.Credentials): Credentials.Credentials {
    if (!this.#isPlain) return credentials
    return { ...credentials, headers: Effect.tap(credentials.headers, (headers) => this.#warn(Object.keys(headers))) }
  }

  /** What people should know, once a secret was sent. */
  get warning(): string | undefined {
    if (this.#sent === undefined) return undefined
    return `${this.#target}: credentials (${
      this.#sent.join(", ")
    }) go there without encryption, so everybody on the way can read them: use https, or a tunnel that encrypts`
  }

  #warn(names: ReadonlyArray<string>): Effect.Effect<void> {
    const secret = names.filter((name) => this.#secrets.has(name) || secretName.test(name))
    if (this.#sent !== undefined || secret.length === 0) return Effect.void
    this.#sent = secret
    return Effect.logWarning(`${this.warning} (this is logged once)`)
  }
}

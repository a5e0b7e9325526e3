/** Warns, once in the log and in the status, of credentials that go over plain HTTP to another machine. */
import { Effect, Redacted } from "effect"
import type * as Credentials from "./Credentials.js"

const loopback = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

const secretName = /auth|token|secret|key|cookie|password|credential/i

export class Exposure {
  readonly #target: string
  readonly #isPlain: boolean
  /** Headers that the options call secret, whatever their names are. */
  readonly #secrets: ReadonlySet<string>
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

  /** Logs one warning when a secret is about to be sent for the first time. */
  watch(credentials: Credentials.Credentials): Credentials.Credentials {
    if (!this.#isPlain) return credentials
    return { ...credentials, headers: Effect.tap(credentials.headers, (headers) => this.#warn(Object.keys(headers))) }
  }

  /** Undefined until a secret was sent. */
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

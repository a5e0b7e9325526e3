/**
 * What passed between a host and a server, as JSON lines in a file, for bug reports. Secrets are masked.
 */
import { createWriteStream, type WriteStream } from "node:fs"

/** Names of members whose values are secret, wherever they stand. */
const secretName =
  /^(authorization|cookie|password|passwd|secret|token|api[-_]?key|access[-_]?token|refresh[-_]?token|client[-_]?secret)$/i
/** Texts that are secret by their form. */
const secretText = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}|\b(sk|ghp|gho|xox[abp])[-_][A-Za-z0-9-_]{16,}/g

const mask = "[masked]"

/** A value without what looks like a secret. */
export const masked = (key: string, value: unknown): unknown => {
  if (secretName.test(key) && typeof value === "string") return mask
  return typeof value === "string" ? value.replace(secretText, mask) : value
}

/** Writes to a file until it is closed. A file that cannot be written is reported once, and nothing else stops. */
export class Recorder {
  readonly #file: WriteStream
  #isBroken = false

  constructor(path: string, onError: (message: string) => void) {
    this.#file = createWriteStream(path, { flags: "a", mode: 0o600 })
    this.#file.on("error", (error) => {
      if (!this.#isBroken) onError(`${path} cannot be written: ${error.message}`)
      this.#isBroken = true
    })
  }

  /** Writes one line; `about`: what it is. */
  write(about: string, content: object): void {
    if (this.#isBroken) return
    this.#file.write(`${JSON.stringify({ at: new Date().toISOString(), about, ...content }, masked)}\n`)
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#file.end(() => resolve()))
  }
}

/**
 * What passed between a host and a server, as JSON lines in a file, for bug reports. Secrets are masked.
 */
import { createWriteStream, type WriteStream } from "node:fs"

/** What makes the name of a member that of a secret, wherever it stands in it: `X-API-Key`, `githubToken`, `AWS_SECRET_ACCESS_KEY`. */
const secretName =
  /authorization|cookie|passw(or)?d|passphrase|secret|credential|api[-_]?key|private[-_]?key|(^|[-_a-z])(access|auth|bearer|id|refresh|session)?[-_]?token$/i
/** Names that are like it, and are no secrets: the protocol's own. */
const publicName = /^(progressToken|maxTokens|stopReason)$/
/** Texts that are secret by their form: credentials of HTTP and of addresses, web tokens, and keys by their beginnings. */
const secretText =
  /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}|\b(sk|ghp|gho|ghs|github_pat|glpat|xox[abp])[-_][A-Za-z0-9-_]{16,}|\bAKIA[A-Z0-9]{16}\b|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=:\/\/)[^\s/@:]+:[^\s/@]+(?=@)|(?<=[?&][\w-]*(token|key|secret|password|signature|code)=)[^&\s"]+/gi

const mask = "[masked]"

/** A value without what looks like a secret. */
export const masked = (key: string, value: unknown): unknown => {
  const isSecret = secretName.test(key) && !publicName.test(key)
  // A schema of such a name has properties, and no secret.
  if (isSecret && (typeof value === "string" || typeof value === "number")) return mask
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

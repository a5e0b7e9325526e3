/** Messages or events as JSON lines, for bug reports. */
import { JsonValue, mebibytes } from "@mcp-lifeline/core/text"
import * as Secrets from "@mcp-lifeline/transport-stdio/Secrets"
import { Predicate } from "effect"
import { closeSync, constants, createWriteStream, fchmodSync, fstatSync, openSync, type WriteStream } from "node:fs"
import { NoRegularFile, troubleOf } from "../audit/trouble.js"

/** Unwritten, in bytes; beyond that, lines are dropped. */
const maxBuffered = mebibytes(64)

/** Windows has neither of these two. Without O_NONBLOCK, opening a pipe that nobody reads would block the program. */
const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_WRONLY } = constants

/** Only this user can read the file. Fails if it is a link or no regular file. */
const open = (path: string): number => {
  const file = openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW | O_NONBLOCK, 0o600)
  try {
    if (!fstatSync(file).isFile()) throw new NoRegularFile()
    fchmodSync(file, 0o600)
    return file
  } catch (error) {
    closeSync(file)
    throw error
  }
}

/** For a message whose rest cannot be written. */
const outline = (content: object): object => {
  const message = Predicate.hasProperty(content, "message") ? content.message : undefined
  if (!Predicate.isRecord(message)) return {}
  const { id, method } = message
  return { message: { ...(id === undefined ? {} : { id }), ...(method === undefined ? {} : { method }) } }
}

const lineOf = (head: object, content: object): string => {
  try {
    if (JsonValue.isTooDeep(content, JsonValue.defaultDepth + 2)) {
      return JSON.stringify({ ...head, ...outline(content), left: "nested too deeply to be written" })
    }
    return JSON.stringify({ ...head, ...content })
  } catch (error) {
    return JSON.stringify({
      ...head,
      left: `cannot be written: ${(error instanceof Error ? error.message : String(error)).slice(0, 200)}`
    })
  }
}

/** If the file cannot be written, reports this once, and drops all lines. */
export class Recorder {
  readonly #file: WriteStream | undefined
  readonly #secrets: Secrets.Secrets
  #isBroken = false
  #dropped = 0

  /** `secrets` are masked. */
  constructor(path: string, onError: (message: string) => void, secrets: Secrets.Secrets = []) {
    this.#secrets = secrets
    const fail = (error: unknown): void => {
      const { reason, remedy } = troubleOf(error, path)
      if (!this.#isBroken) onError(`mcp-lifeline: ${path} cannot be written (${reason}); ${remedy}`)
      this.#isBroken = true
    }
    try {
      this.#file = createWriteStream(path, { fd: open(path) })
      this.#file.on("error", fail)
    } catch (error) {
      fail(error)
    }
  }

  /** `about` says what `content` is, for example `event`. Never throws. */
  write(about: string, content: object): void {
    const file = this.#file
    if (this.#isBroken || file === undefined) return
    if (file.writableLength > maxBuffered) return void this.#dropped++
    const head = { at: new Date().toISOString(), about, ...(this.#dropped === 0 ? {} : { missing: this.#dropped }) }
    this.#dropped = 0
    file.write(`${Secrets.mask(this.#secrets, lineOf(head, content))}\n`)
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#file === undefined || this.#isBroken) resolve()
      else this.#file.end(() => resolve())
    })
  }
}

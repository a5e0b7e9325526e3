/** An MCP server over stdio that fails on command: a real process. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export interface Crash {
  /** At its start, at `server/discover`, at the request or the end of the handshake, or at a tool call. */
  readonly at: "start" | "discover" | "initialize" | "initialized" | "call"
  /** The occurrence, from 1, counted over all processes of a journal, or in one process. Default: each. */
  readonly nth?: number | undefined
  /**
   * Progress of the call: read, carried out, half of the answer written, or answered. For an unread call, stop the process (SIGSTOP) before
   * the call, and kill it afterwards. Default `received`.
   */
  readonly point?: "received" | "applied" | "answering" | "answered" | undefined
  /** Default 1. */
  readonly exitCode?: number | undefined
  /** Sent to itself instead of exiting; SIGSTOP makes it hang. */
  readonly signal?: NodeJS.Signals | undefined
  /** Written to stderr before. */
  readonly stderr?: string | undefined
}

/** By default there are no faults. Durations are in milliseconds. */
export interface Options {
  readonly crashes?: ReadonlyArray<Crash> | undefined
  /** Reads nothing so long after its start. */
  readonly startDelay?: number | undefined
  /** Reads nothing until this file exists. */
  readonly startsAfter?: string | undefined
  /** `2025`, with sessions, answers -32601 to `server/discover`; `2026`, without, refuses `initialize` with -32022. Default `2025`. */
  readonly era?: "2025" | "2026" | undefined
  /** Speaks 2026 from the nth process of its journal on. */
  readonly statelessFrom?: number | undefined
  /** Never answers `server/discover`. */
  readonly silentAtDiscover?: boolean | undefined
  /** Never answers `initialize`. */
  readonly neverReady?: boolean | undefined
  /** `unsupported` answers -32601, `silent` never; of 2026, to a second `server/discover`. Default `answer`. */
  readonly ping?: "answer" | "unsupported" | "silent" | undefined
  readonly ignoreTerm?: boolean | undefined
  /** Runs on after the end of stdin. */
  readonly ignoreStdinEnd?: boolean | undefined
  /** Child processes that keep its stdout open, outlive it, and ignore SIGTERM if it does. */
  readonly grandchildren?: number | undefined
  /** Runs as the child of a wrapper, like npx. */
  readonly wrapper?: boolean | undefined
  /** First writes lines to stdout that are not JSON-RPC. */
  readonly noise?: boolean | undefined
  /** A file of events, shared by successive processes. */
  readonly journal?: string | undefined
  /** Its tools `work` and `read` send their key in a log message. Only in 2025. */
  readonly logs?: boolean | undefined
  /** Has one more tool, `added`, from the nth process of its journal on. */
  readonly addedFrom?: number | undefined
}

export interface Entry {
  readonly pid: number
  /** `start`, `discover`, `initialize`, `ping`, `call`, `apply`, `spin`, `notification`, `grandchild`, or a signal that it caught. */
  readonly event: string
  /** The called tool, applied key, notification's method, or grandchild's process id. */
  readonly detail?: string | undefined
}

/** In the form of stdio configurations. */
export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: { readonly [name: string]: string }
}

/**
 * How to start a server with these faults, with this Node.js and without dependencies.
 *
 * Its tools (arguments are optional, except of `length`) report progress once if asked, with the argument `key` as the message:
 * - `echo` {text} and `length` {text}; `pid`; `env`; `cwd`;
 * - `count` {key} applies once for each call, and returns how often, over all processes of its journal; `set` is the same with
 *   `idempotentHint`, `look` with `readOnlyHint`;
 * - `work` {key, millis, exit} applies a key once and returns it after `millis`; `read` has `readOnlyHint` and applies nothing. They exit
 *   (1) at the point `exit`: `received`, `applied` or `answered`;
 * - `login` {user} and `whoami`: state of a session, and an error without it;
 * - `wait` {millis} answers late, `silent` never;
 * - `allocate` {megabytes, until} keeps memory, and answers when the file `until` exists;
 * - `exit` {code, stderr}, `exitAfterAnswer` {code}, `closeStdin`, `closeStdout`, `stop` (SIGSTOP), `block` {millis}, `spin` {millis};
 * - `grandchild` {code} starts a process and returns its id; `stderr` {text} and `noise` {lines} write;
 * - `long` {bytes, id: first, middle or last}, `longNotification` {bytes}, `longRequest` {bytes}, `pieces` {text}, `batch`: unusual answers;
 *   `endless` {begin}: a line without an end.
 *
 * @example
 * ```ts
 * import { StdioFaultServer } from "@mcp-lifeline/testing"
 *
 * const server = StdioFaultServer.command({ crashes: [{ at: "call", nth: 2, point: "applied", signal: "SIGKILL" }] })
 * ```
 */
export const command = (options: Options = {}): Command => ({
  command: process.execPath,
  args: [program, JSON.stringify(options)],
  env: {}
})

const program = fileURLToPath(new URL("stdio-fault-server.js", import.meta.url))

/** In order; empty before the first start. */
export const journal = (path: string): ReadonlyArray<Entry> => {
  try {
    return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Entry)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

/** The number of entries of a kind. */
export const count = (path: string, event: string, detail?: string): number =>
  journal(path).filter((entry) => entry.event === event && (detail === undefined || entry.detail === detail)).length

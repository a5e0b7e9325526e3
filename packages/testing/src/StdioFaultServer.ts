/**
 * An MCP server over stdio that fails on command: a real process for tests, with a record of what happened in it.
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** A crash, and when it happens. */
export interface Crash {
  /** When it crashes: at its start, at `server/discover`, at the request or the end of the handshake, or at the call of a tool. */
  readonly at: "start" | "discover" | "initialize" | "initialized" | "call"
  /** At which occurrence, counted from 1, in all processes that share a journal, otherwise in one process. Default: at each. */
  readonly nth?: number | undefined
  /**
   * How far the call has got: read, carried out, half of the answer written, or answered. For a call that is not even read, stop the
   * process (SIGSTOP) before the call, and kill it afterwards. Default `received`.
   */
  readonly point?: "received" | "applied" | "answering" | "answered" | undefined
  /** Default 1. */
  readonly exitCode?: number | undefined
  /** The signal that it sends to itself instead of exiting; SIGSTOP makes it hang. */
  readonly signal?: NodeJS.Signals | undefined
  /** Written to stderr before. */
  readonly stderr?: string | undefined
}

/** The faults of the server. Without options it has none. Durations in milliseconds. */
export interface Options {
  readonly crashes?: ReadonlyArray<Crash> | undefined
  /** How long it reads nothing after its start. */
  readonly startDelay?: number | undefined
  /** A file: it reads nothing after its start until this exists. */
  readonly startsAfter?: string | undefined
  /**
   * Which protocol it speaks: `2025`, with sessions, so that it answers -32601 to `server/discover`; or `2026`, without, so that it
   * refuses `initialize` with -32022. Default `2025`.
   */
  readonly era?: "2025" | "2026" | undefined
  /** It speaks 2026 from the nth process of its journal on. */
  readonly statelessFrom?: number | undefined
  /** It never answers `server/discover`. */
  readonly silentAtDiscover?: boolean | undefined
  /** It never answers `initialize`. */
  readonly neverReady?: boolean | undefined
  /** `unsupported` answers -32601, `silent` never; of 2026, to a second `server/discover`. Default `answer`. */
  readonly ping?: "answer" | "unsupported" | "silent" | undefined
  readonly ignoreTerm?: boolean | undefined
  /** It keeps running when its stdin has ended. */
  readonly ignoreStdinEnd?: boolean | undefined
  /** How many child processes it has, which keep its stdout open, run longer than it does, and ignore SIGTERM if it does. */
  readonly grandchildren?: number | undefined
  /** It runs as the child of a wrapper, as npx would run it. */
  readonly wrapper?: boolean | undefined
  /** Before it begins, it writes lines to stdout that are not JSON-RPC. */
  readonly noise?: boolean | undefined
  /** A file to which it appends what happens to it, shared by the processes that follow each other. */
  readonly journal?: string | undefined
  /** It sends log messages: its tools `work` and `read` send their key in one. Of 2025 only. */
  readonly logs?: boolean | undefined
  /** It has one more tool, `added`, from the nth process of its journal on. */
  readonly addedFrom?: number | undefined
}

/** What a process did or received. */
export interface Entry {
  readonly pid: number
  /** `start`, `discover`, `initialize`, `ping`, `call`, `apply`, `spin`, `notification`, `grandchild`, or a signal that it caught. */
  readonly event: string
  /** The tool called, the key applied, the notification's method, the grandchild's process id. */
  readonly detail?: string | undefined
}

/** How to start it, in the form of every configuration of a stdio server. */
export interface Command {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly env: { readonly [name: string]: string }
}

/**
 * How to start a server with these faults: with the Node.js that runs this, without dependencies.
 *
 * Its tools, whose arguments are all optional, and which report progress once where it is asked for, with the argument `key` as its message:
 *
 * - `echo` {text} and `length` {text}; `pid`; `env`; `cwd`;
 * - `count` {key} applies something once for each call, and says how often it was, over all processes of its journal.
 *   `set` is the same with `idempotentHint`, `look` with `readOnlyHint`;
 * - `work` {key, millis, exit} applies a key once and, after `millis`, answers with it; `read` has `readOnlyHint` and applies nothing. They
 *   exit (1) at the point that `exit` names: `received`, `applied` or `answered`;
 * - `login` {user} and `whoami`: state that a session keeps, and an error where there is none;
 * - `wait` {millis} answers late, `silent` never;
 * - `allocate` {megabytes, until} keeps memory, and answers when there is a file at the path `until`;
 * - `exit` {code, stderr}, `exitAfterAnswer` {code}, `closeStdin`, `closeStdout`, `stop` (SIGSTOP), `block` {millis}, `spin` {millis};
 * - `grandchild` {code} starts a process and gives its id; `stderr` {text} and `noise` {lines} write;
 * - `long` {bytes, id: first, middle or last}, `longNotification` {bytes}, `longRequest` {bytes}, `pieces` {text}, `batch`:
 *   answers of unusual form; `endless` {begin}: a line that has no end.
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

/** The entries of a journal so far, in order; empty before the first start. */
export const journal = (path: string): ReadonlyArray<Entry> => {
  try {
    return readFileSync(path, "utf8").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Entry)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

/** How many entries of a kind a journal has. */
export const count = (path: string, event: string, detail?: string): number =>
  journal(path).filter((entry) => entry.event === event && (detail === undefined || entry.detail === detail)).length

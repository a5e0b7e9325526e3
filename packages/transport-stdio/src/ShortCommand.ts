import { ConnectError } from "@mcp-lifeline/core"
import { type ByteSize, TimeSpan } from "@mcp-lifeline/core/options"
import { Effect } from "effect"
import { isUtf8 } from "node:buffer"
import { describeExit, ProcessGroup } from "./ProcessGroup.js"
import { quoted } from "./quoted.js"
import * as SpawnFailure from "./SpawnFailure.js"

export interface Options {
  /** Started without a shell. */
  readonly command: ReadonlyArray<string>
  /** Default: that of this process. */
  readonly cwd?: string | undefined
  /** In addition to those of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly timeout: TimeSpan.TimeSpan
  /** Default: the output is dropped. */
  readonly maxBytes?: ByteSize.Bytes | undefined
  /** Advice if it writes more. */
  readonly tooLong?: string | undefined
  /** Advice if it takes too long or fails. */
  readonly remedy: string
}

/** From SIGTERM to SIGKILL, in milliseconds. */
const termGrace = 500
/** Milliseconds for the last output; a process left behind may hold the pipe open for ever. */
const lastWords = 1_000

export const failed = (message: string): ConnectError =>
  new ConnectError({ backend: "", reason: "spawn", permanent: false, message })

export const programOf = ({ command: [command = ""] }: Pick<Options, "command">): string => quoted(command)

const start = ({ command: [command = "", ...args], cwd, env }: Options): ProcessGroup =>
  new ProcessGroup({
    command,
    args,
    env: { ...process.env as Record<string, string>, ...env },
    cwd,
    stdinGrace: 0,
    termGrace,
    handleSignals: false
  })

const outputOf = ({ child, stdin }: ProcessGroup, options: Options): Effect.Effect<string, ConnectError> =>
  Effect.async((resume) => {
    const { maxBytes, remedy, tooLong = "" } = options
    const program = programOf(options)
    const chunks: Array<Buffer> = []
    let bytes = 0
    let waiting: NodeJS.Timeout | undefined
    const end = (result: Effect.Effect<string, ConnectError>): void => {
      clearTimeout(waiting)
      resume(result)
    }
    const exited = (): void => {
      const { exitCode, signalCode } = child
      if (exitCode === 0) {
        const output = Buffer.concat(chunks)
        return end(
          isUtf8(output)
            ? Effect.succeed(output.toString("utf8"))
            : Effect.fail(failed(`${program} wrote what is not UTF-8: ${tooLong}, as UTF-8`))
        )
      }
      end(Effect.fail(failed(`${program} ${describeExit({ code: exitCode, signal: signalCode })}: ${remedy}`)))
    }
    child.stdout.on("data", (chunk: Buffer) => {
      if (maxBytes === undefined) return
      bytes += chunk.length
      if (bytes <= maxBytes) chunks.push(chunk)
      else end(Effect.fail(failed(`${program} wrote more than ${maxBytes} bytes: ${tooLong}`)))
    })
    // Read, so that the command does not wait.
    child.stderr.resume()
    for (const stream of [stdin, child.stdout, child.stderr]) stream.on("error", () => {})
    child.once("close", exited)
    child.once("exit", () => waiting = setTimeout(exited, lastWords))
    stdin.end()
  })

const ended = (group: ProcessGroup): Effect.Effect<void> =>
  Effect.promise(async () => {
    try {
      await group.shutdown()
    } catch {
      // The system could not end it, so nobody waits for it.
    } finally {
      group.destroyStreams()
    }
  })

/**
 * Succeeds with the standard output. Fails if the program is not found (permanent), exits with another code than 0, writes too much, or
 * takes too long. No error contains the output or arguments. The process ends with the effect, and with it what it has started.
 */
export const run = (options: Options): Effect.Effect<string, ConnectError> => {
  const { command: [command = ""], cwd, remedy } = options
  const timeout = TimeSpan.millis(options.timeout)
  const notStarted = (error: unknown): ConnectError =>
    SpawnFailure.make(error, { command, cwd, show: (text) => text, showArgs: (args) => args.map(() => "***") })
  const spawned = (group: ProcessGroup): Effect.Effect<void, ConnectError> =>
    group.pid !== undefined ? Effect.void : Effect.async((resume) => {
      group.child.once("error", (error) => resume(Effect.fail(notStarted(error))))
    })
  return Effect.acquireUseRelease(
    Effect.try({ try: () => start(options), catch: notStarted }),
    (group) => Effect.zipRight(spawned(group), outputOf(group, options)),
    (group) => group.pid === undefined ? Effect.void : ended(group)
  ).pipe(
    Effect.disconnect,
    Effect.timeoutFail({
      duration: timeout,
      onTimeout: () =>
        failed(
          `${programOf(options)} did not end within ${
            TimeSpan.show(timeout)
          }: if it waits for a person, raise its timeout; otherwise ${remedy}`
        )
    })
  )
}

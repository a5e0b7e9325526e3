/** Kills what a replica runs, in time, even if the replica is stopped, hangs or was killed. */
import { firstOf } from "@mcp-lifeline/core/internal"
import { Data, Deferred, Effect, Exit, FiberId, Schedule, type Scope } from "effect"
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { fileURLToPath } from "node:url"
import { now } from "./uptime.js"

export class WatchdogError extends Data.TaggedError("WatchdogError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * Kills process groups that it was given, with SIGKILL, when the time is up or this process has died; on Linux also each process with `env`
 * in its environment, and that one's group. It misses a process that has left its group and, on Linux, cleared or overwritten its
 * environment. None of its functions throws.
 */
export interface Watchdog {
  /**
   * When everything has to have stopped, in milliseconds of the clock of `uptime.ts`; replaces an earlier call. What starts after that
   * moment, and before the next call, is killed, too. Before the first call nothing is.
   */
  readonly watch: (until: number) => void
  readonly group: (pid: number) => void
  readonly gone: (pid: number) => void
  /** Each server needs it in its environment. No secret. */
  readonly env: Readonly<Record<string, string>>
  /**
   * True once the watchdog has answered (an existing process may be stopped, or hang), false if it has died. One that has died, or left
   * five questions in a row unanswered, is replaced by one that is given everything again; until that listens, nothing may run for
   * longer than it may already.
   */
  readonly answers: Effect.Effect<boolean>
}

const variable = "MCP_LIFELINE_REPLICA"
const program = fileURLToPath(new URL("watchdog.mjs", import.meta.url))

/**
 * Keeps the process at 9 MB of its own (PSS 12 MB, RSS 48 MB, Node 20 on Linux), two more than an empty program. Other flags saved less
 * than 1 MB.
 */
const flags = ["--max-semi-space-size=1"]

/** In milliseconds. A program with its own Node.js may be unable to run another file, and never answers. */
const longest = 30_000

/**
 * Options for Node.js would enlarge it. With the mark of an outer replica that runs this one as a server, the outer watchdog would kill
 * this watchdog, too, before this one has killed what ran here.
 */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_") && name !== variable))

const failure = (message: string, cause?: unknown): WatchdogError =>
  new WatchdogError({ message: `The watchdog of the replica ${message}`, cause })

const pause = 1000

const maxUnanswered = 5

const maxLine = 100

interface Process {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Deferred.Deferred<void>
  readonly questions: Map<number, () => void>
  unanswered: number
}

const start = Effect.try({
  try: (): Process => {
    const child = spawn(process.execPath, [...flags, program], {
      cwd: "/",
      // So what a terminal sends to this process does not reach it.
      detached: true,
      env: environment(),
      stdio: "pipe"
    })
    const ended = Deferred.unsafeMake<void>(FiberId.none)
    const end = () => Deferred.unsafeDone(ended, Exit.void)
    child.on("exit", end)
    // Without an id, it was not started.
    child.on("error", () => child.pid === undefined && end())
    child.stdin.on("error", () => {})
    child.stdout.on("error", () => {})
    return { child, ended, questions: new Map(), unanswered: 0 }
  },
  catch: (cause) => failure(`cannot be started: ${String(cause)}`, cause)
})

const listening = (running: Process): Effect.Effect<number, WatchdogError> => {
  const { child } = running
  return Effect.async<number, WatchdogError>((resume) => {
    let rest = ""
    let complaint = ""
    const hear = (line: string): void => {
      const [word, value] = line.split(" ")
      if (word === "ready") return resume(Effect.succeed(Number(value)))
      if (word !== "heard") return
      running.unanswered = 0
      running.questions.get(Number(value))?.()
    }
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop()?.slice(0, maxLine) ?? ""
      for (const line of lines) hear(line)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(0, 2000)
    })
    child.once("error", (cause) => resume(Effect.fail(failure(`cannot be started: ${cause.message}`, cause))))
    child.once(
      "close",
      (code, signal) =>
        resume(Effect.fail(failure(`ended when it was started (${signal ?? code}): ${complaint.trim()}`)))
    )
  }).pipe(
    Effect.timeoutFail({
      duration: longest,
      onTimeout: () =>
        failure(`did not answer for ${longest / 1000} s after its start: is ${process.execPath} Node.js?`)
    }),
    Effect.tap(() => void child.stderr.destroy())
  )
}

const end = ({ child, ended }: Process): Effect.Effect<void> => {
  const wait = Effect.interruptible(Deferred.await(ended)).pipe(Effect.timeoutOption(longest))
  return Effect.sync(() => child.stdin.end()).pipe(
    Effect.zipRight(wait),
    Effect.zipRight(Effect.sync(() => child.kill("SIGKILL"))),
    Effect.asVoid
  )
}

const clock = Effect.try({ try: now, catch: (cause) => failure(`cannot read the clock: ${String(cause)}`, cause) })

/** Leaves no process behind if it fails. */
const launch = (begin: (running: Process) => void): Effect.Effect<void, WatchdogError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const before = yield* clock
      const running = yield* start
      const compared = Effect.gen(function*() {
        const theirs = yield* listening(running)
        if (before <= theirs && theirs <= (yield* clock)) return
        return yield* failure(`has another clock than the replica: ${theirs} ms instead of ${before} ms`)
      })
      yield* Effect.onError(restore(compared), () => end(running))
      begin(running)
    })
  )

/**
 * Ends with the scope. Acquire what is to stop in an orderly way after it, in the same scope or one inside: the watchdog is last, and kills
 * what is left. Fails if it cannot be started, as on Windows.
 */
export const make: Effect.Effect<Watchdog, WatchdogError, Scope.Scope> = Effect.gen(function*() {
  if (process.platform === "win32") {
    return yield* failure("does not exist for Windows, on which a replica of a cluster cannot run")
  }
  const mark = `${variable}=${randomUUID()}`
  const groups = new Set<number>()
  let last: number | undefined
  let running: Process | undefined
  let questions = 0
  const answers = Effect.suspend(() => {
    const one = running
    if (one === undefined) return Effect.succeed(false)
    if (++one.unanswered > maxUnanswered) one.child.kill("SIGKILL")
    const number = ++questions
    const answered = Effect.async<boolean>((resume) => {
      one.questions.set(number, () => resume(Effect.succeed(true)))
      say(() => `ask ${number}`)
    })
    return Effect.ensuring(
      firstOf(answered, Effect.as(Deferred.await(one.ended), false)),
      Effect.sync(() => one.questions.delete(number))
    )
  })
  const say = (line: () => string): void => {
    try {
      if (running?.child.stdin.writable === true) running.child.stdin.write(`${line()}\n`)
    } catch {
      // The clock cannot be read: nothing is extended.
    }
  }
  const watch = (until: number): void => {
    last = until
    say(() => `until ${until} ${now()}`)
  }
  const begin = (one: Process): void => {
    running = one
    say(() => `mark ${mark}`)
    for (const pid of groups) say(() => `group ${pid}`)
    if (last !== undefined) watch(last)
  }
  const again = Effect.gen(function*() {
    if (running !== undefined) yield* Deferred.await(running.ended)
    yield* Effect.logWarning("the watchdog of the replica has died, or did not answer, so another one is started")
    const launched = Effect.tapError(launch(begin), ({ message }) => Effect.logError(message))
    yield* Effect.retry(launched, Schedule.spaced(pause))
  })
  yield* Effect.addFinalizer(() => Effect.suspend(() => running === undefined ? Effect.void : end(running)))
  yield* launch(begin)
  yield* Effect.forkScoped(Effect.interruptible(Effect.forever(again)))
  return {
    watch,
    group: (pid) => {
      groups.add(pid)
      say(() => `group ${pid}`)
    },
    gone: (pid) => {
      groups.delete(pid)
      say(() => `gone ${pid}`)
    },
    env: { [variable]: mark.slice(variable.length + 1) },
    answers
  }
})

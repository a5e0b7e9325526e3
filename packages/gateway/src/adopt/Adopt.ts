import * as StateFolder from "@mcp-lifeline/state/StateFolder"
import { Effect } from "effect"
import type { Syntax } from "../document/Syntax.js"
import { Unreadable } from "../document/Tree.js"
import { shellWord } from "../text/shellWord.js"
import { clean } from "../text/Text.js"
import type { Adopt } from "./Arguments.js"
import * as ClaudeCode from "./ClaudeCode.js"
import * as ConfigFile from "./ConfigFile.js"
import * as Copies from "./Copies.js"
import * as Diff from "./Diff.js"
import * as Entries from "./Entries.js"
import { formatOf } from "./Hosts.js"
import * as Launcher from "./Launcher.js"
import * as Plan from "./Plan.js"
import * as Report from "./Report.js"
import * as Secrets from "./Secrets.js"
import * as Target from "./Target.js"
import { undo } from "./Undo.js"

export interface Terminal {
  readonly canAsk: boolean
  readonly colour: boolean
  readonly line: (text: string) => Effect.Effect<void>
  readonly ask: (question: string) => Effect.Effect<boolean>
}

interface Change {
  readonly file: ConfigFile.ConfigFile
  readonly text: string
  readonly servers: ReadonlyArray<Plan.Server>
  readonly messages: ReadonlyArray<string>
  /** If not empty, `adopt` does not change the file, but says how the user can. */
  readonly todo: ReadonlyArray<Report.Todo>
  /** To keep for `--undo` after the change. */
  readonly steps: ReadonlyArray<Copies.Step>
}

const empty = { servers: [], diff: [], messages: [], todo: [] } as const

const problem = (message: string) => new ConfigFile.FileProblem({ message })

const quit =
  "Claude Code writes this file while it runs. If it runs now, quit it and run this command again; otherwise the change may be lost."

const isChange = ({ file, text }: Change): boolean => text !== file.text

const reading = <A>(work: () => A): Effect.Effect<A, ConfigFile.FileProblem> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (error) {
      return error instanceof Unreadable ? Effect.fail(problem(error.message)) : Effect.die(error)
    }
  })

interface Task {
  readonly adopt: Adopt
  readonly target: Target.Target
  readonly file: ConfigFile.ConfigFile
  readonly syntax: Syntax
  readonly copies: Copies.Copies
  readonly launchers: Launcher.Launchers
}

const planWrap = ({ adopt, copies, file, launchers: { project, typed, user }, syntax, target }: Task) =>
  Effect.gen(function*() {
    const launcher = target.project === undefined ? user : project
    const options = { platform: process.platform, launcher, only: adopt.only }
    const plan = yield* reading(() => Plan.wrap(file.text, syntax, target.sections, options))
    const before = Copies.withoutAdvice(yield* copies.of(file.path), plan.done)
    const step = (isAdvised: boolean): Copies.Step => ({
      before: file.text,
      after: plan.text,
      done: plan.done.map(({ name, section }) => ({ name, section })),
      isAdvised
    })
    const steps = [...before, step(false)]
    const change: Change = { file, ...plan, messages: [], todo: [], steps }
    if (!target.isLive || plan.text === file.text) return change
    if (target.isNamed) return { ...change, messages: [quit] }
    return { ...change, todo: claudeTodo(change, syntax, typed), steps: [...before, step(true)] }
  })

const claudeTodo = (
  { file, servers, text }: Pick<Change, "file" | "servers" | "text">,
  syntax: Syntax,
  typed: string,
  isUndo = false
): ReadonlyArray<Report.Todo> => {
  const root = syntax.value(text)
  const { changed, commands, others } = ClaudeCode.commands(root, servers, process.platform)
  const only = others.map((name) => ` --only ${shellWord(name)}`).join("")
  const byFile = `${typed} adopt ${shellWord(file.path)}${isUndo ? " --undo" : ""}${only}`
  return [
    ...(others.length === 0
      ? []
      : [{
        what: `Claude Code (${others.join(", ")}): it writes its file while it runs. Quit it, and run: ${byFile}`,
        commands: []
      }]),
    ...(commands.length === 0 ? [] : [{ what: `Claude Code (${changed.join(", ")}): run these commands.`, commands }])
  ]
}

const planUndo = ({ adopt, copies, file, launchers: { typed }, syntax, target }: Task) =>
  Effect.gen(function*() {
    const steps = yield* copies.of(file.path)
    const undone = yield* reading(() => undo(file.text, steps, adopt.only, syntax))
    // What commands have changed, commands change back. They are kept until they have.
    if (target.isLive && !target.isNamed && steps.some(({ isAdvised }) => isAdvised) && undone.text !== file.text) {
      return { file, ...undone, messages: [], todo: claudeTodo({ file, ...undone }, syntax, typed, true), steps }
    }
    const messages = [
      ...(undone.isExact || undone.servers.length === 0
        ? []
        : ["The file has changed since: adopt unwraps its servers, and keeps everything else as it is."]),
      ...(target.isLive && undone.text !== file.text ? [quit] : [])
    ]
    return { file, ...undone, messages, todo: [] }
  })

/** Before a wrap, keeps a copy; after an undo, what is not undone yet. */
const carryOut = ({ file, steps, text }: Change, copies: Copies.Copies, isUndo: boolean) =>
  Effect.gen(function*() {
    const { lock } = yield* StateFolder.StateFolder
    yield* lock("adopt")
    const before = yield* copies.of(file.path)
    const forget = copies.keep(file.path, before)
    if (isUndo) {
      yield* ConfigFile.write(file, text)
      return void (yield* copies.keep(file.path, steps))
    }
    if (!(yield* copies.keep(file.path, steps))) {
      yield* forget
      return yield* problem(
        `is not changed: its copy cannot be kept in ${copies.folder}; make that folder writable or name another with MCP_LIFELINE_STATE`
      )
    }
    yield* Effect.tapError(ConfigFile.write(file, text), () => forget)
  }).pipe(Effect.scoped, Effect.uninterruptible)

const reportOf = (
  { file, syntax, target }: Task,
  { messages, servers, text, todo }: Change,
  leadsTo: string | undefined
): Effect.Effect<Report.FileReport, ConfigFile.FileProblem> =>
  reading(() => {
    /** With the same lines. */
    const hidden = (text: string) => Secrets.hide(text, syntax, target.sections)
    return {
      file: target.path,
      host: target.host?.title,
      leadsTo,
      status: "nothing to do",
      servers,
      diff: text === file.text ? [] : Diff.lines(hidden(file.text), hidden(text)),
      messages,
      todo
    }
  })

const isReported = (report: Report.FileReport, { isNamed }: Target.Target): boolean =>
  isNamed || report.servers.length > 0 || report.status === "failed"

/** Why a change may not be meant, although the user has agreed to it, or has said `--yes`. */
interface Doubt {
  readonly why: string
  readonly question: string
  /** To run instead of `--yes`; undefined if the user has named this file, so that `--yes` is enough. */
  readonly instead: string | undefined
}

const doubtsAbout = (
  target: Target.Target,
  lead: Target.Lead,
  file: ConfigFile.ConfigFile,
  { project: [program = "", ...rest], typed }: Launcher.Launchers
): Effect.Effect<ReadonlyArray<Doubt>> =>
  Effect.gen(function*() {
    const named = `${typed} adopt ${shellWord(file.path)}`
    const outside = `${file.path}, which is outside of this project`
    const doubts: Array<Doubt> = []
    if (lead.isOutside) {
      doubts.push({ why: `it is a link to ${outside}`, question: `This changes ${outside}.`, instead: named })
    }
    // npx brings the program to everybody.
    const isBrought = [program, ...rest].includes("npx")
    if (target.project !== undefined && !isBrought && (yield* Target.isShared(target.project))) {
      const shared = "others who have this project get this command, and need mcp-lifeline as well"
      doubts.push({
        why: shared,
        question: `${shared[0]?.toUpperCase()}${shared.slice(1)}.`,
        instead: target.isNamed ? undefined : `${named} --yes`
      })
    }
    return doubts
  })

const adoptFile = (
  adopt: Adopt,
  target: Target.Target,
  terminal: Terminal,
  copies: Copies.Copies,
  launchers: Launcher.Launchers
) =>
  Effect.gen(function*() {
    const print = (lines: ReadonlyArray<string>) =>
      adopt.json ? Effect.void : Effect.forEach(lines, terminal.line, { discard: true })
    const file = yield* ConfigFile.read(target.path)
    if (file === undefined) return target.isNamed ? yield* problem("is not there; check the path") : undefined
    const task: Task = { adopt, target, file, syntax: yield* Target.syntaxOf(target.path), copies, launchers }
    const change = yield* adopt.undo ? planUndo(task) : planWrap(task)
    const lead = yield* Target.lead(target, file.path, Target.machine().home)
    const report = yield* reportOf(task, change, lead.to)
    if (!isReported(report, target)) return undefined
    yield* print(Report.heading(report, terminal.colour))
    const endOf =
      (report: Report.FileReport) => (status: Report.FileReport["status"], ...messages: ReadonlyArray<string>) => {
        const ended: Report.FileReport = { ...report, status, messages: [...messages, ...report.messages] }
        return Effect.as(print([...Report.ending(ended), ""]), ended)
      }
    const end = endOf(report)
    if (!isChange(change)) {
      if (adopt.undo && !adopt.dryRun) yield* copies.keep(file.path, change.steps)
      return yield* end(
        "nothing to do",
        ...(report.servers.length === 0 ? [adopt.undo ? "No copy of it is kept." : "It has no servers."] : [])
      )
    }
    if (adopt.dryRun) return yield* end("would change")
    if (change.todo.length > 0) {
      yield* copies.keep(file.path, change.steps)
      return yield* end("not changed", "Not changed: see what is left to do, at the end.")
    }
    if (!adopt.yes && (adopt.json || !terminal.canAsk)) {
      const why = adopt.json ? "--json asks nothing" : "there is no terminal on which to ask"
      return yield* end("not asked", `Not changed, because ${why}; --yes changes it.`)
    }
    if (!adopt.yes && !(yield* terminal.ask("  Change this file? [y/N] "))) {
      return yield* end("not changed", "Not changed.")
    }
    // `--undo` asks nothing more, because Lifeline has changed the file before.
    const doubts = adopt.undo ? [] : yield* doubtsAbout(target, lead, file, launchers)
    for (const { instead, question, why } of doubts) {
      if (adopt.yes && instead !== undefined) {
        const left = { what: `${file.path}: ${why}. If you want that, run this command.`, commands: [instead] }
        const refused = endOf({ ...report, todo: [...report.todo, left] })
        return yield* refused("not asked", `Not changed, because ${why}. If you want that, run: ${instead}`)
      }
      if (!adopt.yes && !(yield* terminal.ask(`  ${clean(question)} Change it all the same? [y/N] `))) {
        return yield* end("not changed", "Not changed.")
      }
    }
    yield* carryOut(change, copies, adopt.undo)
    return yield* end("changed", adopt.undo ? "Changed." : `Changed. The original is saved in ${copies.folder}.`)
  }).pipe(
    Effect.catchTag("FileProblem", ({ message }) => {
      const report: Report.FileReport = {
        ...empty,
        file: target.path,
        host: target.host?.title,
        status: "failed",
        messages: [message]
      }
      const line = `${target.host === undefined ? "" : `${target.host.title}: `}${target.path} ${message}`
      return Effect.as(adopt.json ? Effect.void : terminal.line(line), report)
    })
  )

/** For `--undo` without a file, all files with copies. */
const targetsOf = (adopt: Adopt, copies: Copies.Copies) =>
  Effect.gen(function*() {
    const found = yield* Target.find(adopt, Target.machine())
    if (!adopt.undo || adopt.file !== undefined) return found
    const kept = yield* copies.all
    const readable = yield* Effect.forEach(found, (target) =>
      Effect.map(
        Effect.orElseSucceed(ConfigFile.read(target.path), () => undefined),
        (file) => [file?.path, target] as const
      ))
    return kept.flatMap(({ path }): ReadonlyArray<Target.Target> => {
      const target = readable.find(([file]) => file === path)?.[1]
      if (target !== undefined) return [target]
      return adopt.host === undefined
        ? [{
          path,
          host: undefined,
          sections: Entries.sections[formatOf(path)],
          isNamed: false,
          isLive: false,
          project: undefined
        }]
        : []
    })
  })

/** Then the exit code is 1. */
const isIncomplete = ({ servers, status }: Report.FileReport): boolean =>
  status === "failed" || status === "not asked" || servers.some(({ outcome }) => outcome === "not unwrapped")

/** A file that cannot be read counts as empty. */
const namesIn = (targets: ReadonlyArray<Target.Target>): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(
    Effect.forEach(targets, ({ path, sections }) =>
      Effect.gen(function*() {
        const file = yield* ConfigFile.read(path)
        const syntax = yield* Target.syntaxOf(path)
        if (file === undefined) return []
        const value = yield* reading(() => syntax.value(file.text))
        return Entries.read(value, sections).map(({ name }) => name)
      }).pipe(Effect.orElseSucceed((): ReadonlyArray<string> => []))),
    (names) => [...new Set(names.flat())]
  )

export const run = (adopt: Adopt, terminal: Terminal): Effect.Effect<number, never, StateFolder.StateFolder> =>
  Effect.gen(function*() {
    const copies = yield* Copies.make
    const reports: Array<Report.FileReport> = []
    const launchers = yield* Launcher.find(Launcher.running())
    const targets = yield* targetsOf(adopt, copies)
    for (const target of targets) {
      const report = yield* adoptFile(adopt, target, terminal, copies, launchers)
      if (report !== undefined) reports.push(report)
    }
    const missing = adopt.only.filter((name) =>
      !reports.some(({ servers }) => servers.some((server) => server.name === name))
    )
    const exitCode = missing.length > 0 || reports.some(isIncomplete) ? 1 : 0
    if (adopt.json) {
      yield* terminal.line(Report.json(reports, exitCode))
      return exitCode
    }
    const there = missing.length === 0 || adopt.undo ? [] : yield* namesIn(targets)
    if (reports.length === 0 && there.length === 0 && !(adopt.undo && targets.length > 0)) {
      const none = `No servers were found. If a file has some, name it: ${launchers.typed} adopt path/mcp.json`
      yield* terminal.line(adopt.undo ? "Nothing to undo: no copies are kept." : none)
    }
    for (const name of missing) {
      yield* terminal.line(`No server is called ${name}${adopt.undo ? " among those that were wrapped" : ""}.`)
    }
    if (there.length > 0) yield* terminal.line(`The servers that were found: ${there.map(clean).join(", ")}.`)
    yield* Effect.forEach(Report.summary(reports, adopt.undo, launchers.typed), terminal.line, { discard: true })
    return exitCode
  })

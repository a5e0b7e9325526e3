import { ConnectError } from "@mcp-lifeline/core"
import { accessSync, constants, statSync } from "node:fs"
import { quoted } from "./quoted.js"
import * as WindowsFailure from "./WindowsFailure.js"

/** `show` and `showArgs` mask secrets. */
export interface Target {
  readonly command: string
  readonly cwd: string | undefined
  readonly show: (text: string) => string
  readonly showArgs: (args: ReadonlyArray<string>) => ReadonlyArray<string>
  /** Default: that of this process. */
  readonly platform?: NodeJS.Platform | undefined
}

const passing = new Set(["EAGAIN", "EMFILE", "ENFILE", "ENOMEM"])

const kindOf = (path: string): "directory" | "other" | "missing" => {
  try {
    return statSync(path).isDirectory() ? "directory" : "other"
  } catch {
    return "missing"
  }
}

const mayEnter = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Quotes keep spaces together. */
export const words = (line: string): ReadonlyArray<string> =>
  Array.from(line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g), ([word, double, single]) => double ?? single ?? word)

const isPath = (text: string): boolean => text.includes("/") || text.includes("\\")

/** Another word follows the first, which is no part of a path. */
const argumentsIn = (command: string): readonly [string, ...ReadonlyArray<string>] | undefined => {
  const [first, ...rest] = words(command)
  if (first === undefined || rest.length === 0) return undefined
  return isPath(first) && kindOf(first) !== "other" ? undefined : [first, ...rest]
}

const unexpanded = (text: string): string | undefined => /^~(?=[/\\]|$)|\$\{?\w+\}?|%\w+%/.exec(text)?.[0]

const explain = (error: unknown, code: string | undefined, target: Target): string => {
  const { command, cwd, platform = process.platform, show, showArgs } = target
  if (command === "") return "command is empty: give the program to start"
  const split = code === "ENOENT" || code === "ENOTDIR" ? argumentsIn(command) : undefined
  const shown = `command ${quoted(show(command))}`
  if (cwd !== undefined && (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES")) {
    const kind = kindOf(cwd)
    const directory = `cwd ${quoted(show(cwd))}`
    if (kind === "missing") return `${directory} does not exist: ${correct(cwd, "create it or correct it")}`
    if (kind === "other") return `${directory} is not a directory: correct it`
    if (!mayEnter(cwd)) return `${directory} cannot be entered: correct it or its permissions`
  }
  if (split !== undefined) {
    const [first, ...rest] = split
    const masked = showArgs(rest)
    const line = JSON.stringify([show(first), ...masked].join(" "))
    return `command ${line} contains arguments, and there is no program of that name: arguments belong in args, as in `
      + `command: ${JSON.stringify(show(first))}, args: [${masked.map((word) => JSON.stringify(word)).join(", ")}]`
  }
  if (platform === "win32") {
    if (isPath(command) && kindOf(command) === "directory") {
      return `${shown} is a directory: give the program to start`
    }
    const advice = correct(command, isPath(command) ? "correct it" : "install it, or give its full path")
    const words = WindowsFailure.explain(error, { shown, show, advice })
    if (words !== undefined) return words
  }
  switch (code) {
    case "ENOENT":
    case "ENOTDIR": {
      if (!isPath(command)) {
        return `${shown} was not found in PATH: ${correct(command, "install it, or give its full path")}`
      }
      return kindOf(command) === "missing"
        ? `${shown} does not exist: ${correct(command, "correct it")}`
        : `${shown} names an interpreter in its first line that does not exist: install that, or correct the line`
    }
    case "EACCES": {
      return kindOf(command) === "directory"
        ? `${shown} is a directory: give the program to start`
        : `${shown} is not executable: make it so (chmod +x), or correct it`
    }
    case "ENOEXEC":
    case "EFTYPE": {
      return `${shown} is not a program that this system can run: correct it, or give the script's interpreter as command `
        + "and the script in args"
    }
    case "E2BIG": {
      return `the arguments and the environment of ${shown} are too long for the system: shorten args or env`
    }
    case "ERR_INVALID_ARG_VALUE": {
      return `${shown}, one of args or a value of env contains a null character: remove it`
    }
    default: {
      return passing.has(code ?? "")
        ? `${shown} could not be started: the system is short of memory, processes or open files (${code})`
        : `${shown} could not be started (${code ?? "the system gave no reason"})`
    }
  }
}

const correct = (path: string, otherwise: string): string => {
  const literal = unexpanded(path)
  return literal === undefined ? otherwise : `no shell expands ${literal}; give the full path`
}

/** Nothing of Node's own error but its code is kept (C10). */
export const make = (error: unknown, target: Target): ConnectError => {
  const code = (error as NodeJS.ErrnoException).code
  return new ConnectError({
    backend: "",
    reason: "spawn",
    permanent: !passing.has(code ?? ""),
    message: explain(error, code, target),
    cause: Object.assign(new Error(`spawn: ${code ?? "no reason given"}`), { code })
  })
}

/**
 * Why a process could not be started, and what to do about it (S6): decisions about Node's error codes.
 */
import { ConnectError } from "@mcp-lifeline/core"
import { accessSync, constants, statSync } from "node:fs"

/** What was to be started. `show` masks secrets. */
export interface Target {
  readonly command: string
  readonly cwd: string | undefined
  readonly show: (text: string) => string
}

/** What passes by itself: too many processes or open files, too little memory. */
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

const explain = (code: string | undefined, { command, cwd, show }: Target): string => {
  const shown = `command ${JSON.stringify(show(command))}`
  if (command === "") return `${shown} is empty: give the program to start`
  if (cwd !== undefined && (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES")) {
    const kind = kindOf(cwd)
    const directory = `cwd ${JSON.stringify(show(cwd))}`
    if (kind === "missing") return `${directory} does not exist: create it or correct it`
    if (kind === "other") return `${directory} is no directory: correct it`
    if (!mayEnter(cwd)) return `${directory} may not be entered: correct it or its permissions`
  }
  const isPath = command.includes("/") || command.includes("\\")
  switch (code) {
    case "ENOENT":
    case "ENOTDIR": {
      if (!isPath) return `${shown} was not found in PATH: install it, or give its full path`
      return kindOf(command) === "missing"
        ? `${shown} does not exist: correct it`
        : `${shown} names an interpreter in its first line that does not exist: install that, or correct the line`
    }
    case "EACCES": {
      return kindOf(command) === "directory"
        ? `${shown} is a directory: give the program to start`
        : `${shown} is not executable: make it so (chmod +x), or correct it`
    }
    case "ENOEXEC":
    case "EFTYPE": {
      return `${shown} is no program for this system: correct it, or give the script's interpreter as the command`
    }
    case "E2BIG": {
      return `${shown} has too long a list of arguments or environment: shorten it`
    }
    case "ERR_INVALID_ARG_VALUE": {
      return `${shown}, one of its arguments or a value of its environment holds a null character: remove it`
    }
    default: {
      return `${shown} could not be started (${code ?? "no reason given"})`
    }
  }
}

/** The error of an attempt that could not start its process. Nothing of Node's own error but its code is kept (C10). */
export const make = (error: unknown, target: Target): ConnectError => {
  const code = (error as NodeJS.ErrnoException).code
  return new ConnectError({
    backend: "",
    reason: "spawn",
    incurable: code === undefined || !passing.has(code),
    message: explain(code, target),
    cause: Object.assign(new Error(`spawn: ${code ?? "no reason given"}`), { code })
  })
}

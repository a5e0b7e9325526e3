/**
 * `CreateProcess` starts only programs, and looks in our PATH: scripts such as `npx.cmd` need the server's PATH and PATHEXT, and `cmd.exe`.
 * (S10)
 */
import { closeSync, lstatSync, openSync, readSync, statSync } from "node:fs"
import { win32 } from "node:path"

export interface Files {
  readonly isFile: (path: string) => boolean
  readonly read: (path: string) => string
}

export interface Start {
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** Quoted already. */
  readonly verbatim: boolean
}

export type Problem =
  | {
    readonly _tag: "NotFound"
    readonly name: string
    readonly extensions: ReadonlyArray<string>
    /** Undefined for a path. */
    readonly folders: ReadonlyArray<string> | undefined
    readonly neededBy: string | undefined
  }
  | { readonly _tag: "LineBreak"; readonly script: string }
  | { readonly _tag: "TooLong"; readonly limit: number; readonly script: string | undefined }

export class Unstartable extends Error {
  readonly code: "ENOENT" | "E2BIG" | "EINVAL"
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem._tag)
    this.problem = problem
    this.code = problem._tag === "NotFound" ? "ENOENT" : problem._tag === "TooLong" ? "E2BIG" : "EINVAL"
  }
}

const isCode = (error: unknown, ...codes: ReadonlyArray<string>): boolean =>
  codes.includes(String((error as NodeJS.ErrnoException).code))

export const files: Files = {
  isFile: (path) => {
    try {
      return statSync(path).isFile()
    } catch (error) {
      if (isCode(error, "ENOENT", "ENOTDIR")) return false
    }
    try {
      // Only `CreateProcess` may follow the links that the Microsoft Store installs.
      return !lstatSync(path).isDirectory()
    } catch {
      return false
    }
  },
  read: (path) => {
    let file: number | undefined
    try {
      file = openSync(path, "r")
      const buffer = Buffer.alloc(4096)
      return buffer.toString("utf8", 0, readSync(file, buffer))
    } catch {
      return ""
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }
}

/** Names are the same in any case. */
const variable = (env: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.entries(env).find(([key]) => key.toUpperCase() === name)?.[1]

/** Windows drops dots and blanks from the end of a name. */
const extensionOf = (path: string): string => {
  let end = path.length
  while (end > 0 && (path[end - 1] === "." || path[end - 1] === " ")) end--
  return win32.extname(path.slice(0, end)).toLowerCase()
}

/** A name with a folder or a drive is not looked up in PATH. */
export const isPath = (command: string): boolean => /[/\\]|^[a-z]:/i.test(command)

const maxInterpreters = 4
/** In characters. */
const maxLine = 32_766
const maxShellLine = 8_191

/** What npm writes around the path of a program's JavaScript; blanks count as one. */
const npmShim = [
  String.raw`@ECHO off GOTO start :find_dp0 SET dp0=%~dp0 EXIT /b :start SETLOCAL CALL :find_dp0 `
  + String
    .raw`IF EXIST "%dp0%\node.exe" ( SET "_prog=%dp0%\node.exe" ) ELSE ( SET "_prog=node" SET PATHEXT=%PATHEXT:;.JS;=;% ) `
  + String.raw`endLocal & goto #_undefined_# 2>NUL || title %COMSPEC% & "%_prog%" "%dp0%` + "\\",
  `" %*`
] as const

/**
 * However often `cmd.exe` parses the line (a script with `call` parses again), nothing of it is a command. All is in quotes, and a quote is
 * two. Only percent signs are outside, each before a quote: no variable has such a name, and `/c` leaves unknown ones. A second parse
 * removes `%name%` and `%name:`; with colons outside, too, what it removes has an even number of quotes.
 */
const quote = (text: string, outside: string): string => {
  let quoted = ""
  let backslashes = 0
  for (const one of `${text}"`) {
    const isQuote = one === `"`
    // Doubled, so that they do not escape the quote.
    if (isQuote || outside.includes(one)) quoted += "\\".repeat(backslashes) + (isQuote ? `""` : `"${one}"`)
    else quoted += one
    backslashes = one === "\\" ? backslashes + 1 : 0
  }
  return `"${quoted.slice(0, -1)}`
}

/** Throws an `Unstartable`. A name without a folder is not looked for in the current folder; a path is relative to `cwd`. */
export const resolve = (
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>,
  cwd: string,
  disk: Files = files
): Start => new Search(env, cwd, disk).start(command, args, [])

class Search {
  readonly #env: Readonly<Record<string, string>>
  readonly #cwd: string
  readonly #disk: Files
  readonly #extensions: ReadonlyArray<string>
  readonly #folders: ReadonlyArray<string>

  constructor(env: Readonly<Record<string, string>>, cwd: string, disk: Files) {
    this.#env = env
    this.#cwd = cwd
    this.#disk = disk
    this.#extensions = (variable(env, "PATHEXT") || ".COM;.EXE;.BAT;.CMD").split(";").filter((one) => one !== "")
    this.#folders = (variable(env, "PATH") ?? "").split(";").map((one) => one.replaceAll(`"`, "").trim())
      .filter((one) => one !== "")
  }

  start(command: string, args: ReadonlyArray<string>, users: ReadonlyArray<string>): Start {
    const file = this.#find(command)
    if (file === undefined || users.length > maxInterpreters) {
      throw new Unstartable({
        _tag: "NotFound",
        name: command,
        extensions: this.#extensions,
        folders: isPath(command) ? undefined : this.#folders,
        neededBy: users.at(-1)
      })
    }
    switch (extensionOf(file)) {
      case ".exe":
      case ".com":
        return program(file, args)
      case ".bat":
      case ".cmd":
        return this.#script(file, args, users)
    }
    const [interpreter, ...rest] = shebang(this.#disk.read(file))
    if (interpreter === undefined) return program(file, args)
    return this.start(interpreter, [...rest, file, ...args], [...users, file])
  }

  #find(command: string): string | undefined {
    if (command === "") return undefined
    const known = this.#extensions.some((one) => one.toLowerCase() === extensionOf(command))
    const withExtension = this.#extensions.map((one) => `${command}${one.toLowerCase()}`)
    const folders = isPath(command) ? [""] : this.#folders
    // Without an extension it comes last: beside `npx.cmd` lies `npx`, for other systems.
    for (const names of [known ? [command, ...withExtension] : withExtension, [command]]) {
      for (const folder of folders) {
        for (const name of names) {
          const path = win32.resolve(this.#cwd, folder, name)
          if (this.#disk.isFile(path)) return path
        }
      }
    }
    return undefined
  }

  #script(file: string, args: ReadonlyArray<string>, users: ReadonlyArray<string>): Start {
    const javaScript = ofNpm(file, this.#disk.read(file))
    if (javaScript !== undefined && this.#disk.isFile(javaScript)) {
      // Without cmd.exe nothing needs quotes, and the process is the server itself.
      const own = win32.join(win32.dirname(file), "node.exe")
      return this.start(this.#disk.isFile(own) ? own : "node", [javaScript, ...args], [...users, file])
    }
    if (args.some((one) => /[\r\n]/.test(one))) throw new Unstartable({ _tag: "LineBreak", script: file })
    const outside = [file, ...args].some((one) => one.includes("%")) ? "%:" : "%"
    const line = [quote(file, "%"), ...args.map((one) => quote(one, outside))].join(" ")
    const shell = variable(this.#env, "COMSPEC")
      || win32.join(variable(this.#env, "SYSTEMROOT") || "C:\\Windows", "System32", "cmd.exe")
    const start = { file: shell, args: ["/e:ON", "/v:OFF", "/d", "/s", "/c", `"${line}"`], verbatim: true }
    return bounded(start, maxShellLine, file)
  }
}

const program = (file: string, args: ReadonlyArray<string>): Start =>
  bounded({ file, args, verbatim: false }, maxLine, undefined)

const bounded = (start: Start, limit: number, script: string | undefined): Start => {
  if ([start.file, ...start.args].join(" ").length <= limit) return start
  throw new Unstartable({ _tag: "TooLong", limit, script })
}

/** Without its folder, which is one of other systems. */
const shebang = (text: string): ReadonlyArray<string> => {
  const [first = "", ...rest] = /^#!([^\r\n]*)/.exec(text)?.[1]?.trim().split(/\s+/) ?? []
  const [name, ...args] = [first.slice(first.lastIndexOf("/") + 1), ...rest]
  if (name !== "env") return name === "" || name === undefined ? [] : [name, ...args]
  return args[0] === "-S" ? args.slice(1) : args
}

/** If the script was made by npm and does nothing else. */
const ofNpm = (script: string, text: string): string | undefined => {
  const [begin, end] = npmShim
  const line = text.replace(/\s+/g, " ").trim()
  if (!line.startsWith(begin) || !line.endsWith(end)) return undefined
  const path = line.slice(begin.length, -end.length)
  return /["%&|<>^]/.test(path) ? undefined : win32.join(win32.dirname(script), path)
}

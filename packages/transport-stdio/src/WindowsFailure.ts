import { quoted } from "./quoted.js"
import { type Problem, Unstartable } from "./WindowsCommand.js"

/** In characters. */
const maxFolders = 400

const list = (folders: ReadonlyArray<string>): string => {
  const shown: Array<string> = []
  let length = 0
  for (const folder of folders) {
    length += folder.length + 2
    if (length > maxFolders) break
    shown.push(folder)
  }
  const left = folders.length - shown.length
  if (shown.length === 0 && left > 0) return list([`${folders[0]?.slice(0, maxFolders - 5)}...`, ...folders.slice(1)])
  return left === 0 ? shown.join("; ") : `${shown.join("; ")} and ${left} more`
}

const explainProblem = (problem: Problem, shown: string, show: (text: string) => string, advice: string): string => {
  switch (problem._tag) {
    case "NotFound": {
      const { extensions, folders, name, neededBy } = problem
      const of = `(with ${extensions.join(", ")})`
      if (neededBy !== undefined) {
        const where = folders === undefined ? "" : ` in the server's PATH: ${show(list(folders))}`
        return `${shown} needs ${quoted(show(name))}, which ${quoted(show(neededBy))} names and which was not `
          + `found ${of}${where}: install it, or correct the server's PATH`
      }
      if (folders === undefined) return `${shown} does not exist ${of}: ${advice}`
      return folders.length === 0
        ? `${shown} was not found, as the server's PATH is empty: give its full path, or set PATH in env`
        : `${shown} was not found in PATH ${of}: looked in ${show(list(folders))}: ${advice}`
    }
    case "LineBreak": {
      return `${shown} is a script (${
        show(problem.script)
      }), and one of args contains a line break, which cmd.exe, which runs `
        + "scripts, does not pass on: remove it, or give the program that the script starts as command"
    }
    case "TooLong": {
      const limit = problem.limit.toLocaleString("en-US")
      return problem.script === undefined
        ? `the command line of ${shown} is longer than ${limit} characters, more than Windows takes: shorten args`
        : `${shown} is a script (${
          show(problem.script)
        }), and its command line is longer than ${limit} characters, more than cmd.exe, `
          + "which runs scripts, takes: shorten args, or give the program that the script starts as command"
    }
  }
}

/** Undefined for what is no different on Windows. `advice`: for what was not found. */
export const explain = (
  error: unknown,
  { advice, show, shown }: {
    readonly shown: string
    readonly show: (text: string) => string
    readonly advice: string
  }
): string | undefined => {
  if (error instanceof Unstartable) return explainProblem(error.problem, shown, show, advice)
  switch ((error as NodeJS.ErrnoException).code) {
    case "EINVAL": {
      return `${shown} is not a program that Windows starts by itself: give its interpreter as command and the script in args`
    }
    case "ENAMETOOLONG": {
      return `the command line of ${shown} is longer than Windows takes: shorten args`
    }
    case "ENOENT": {
      return `${shown} was found, but Windows could not start it (ENOENT): correct it, or give the program that it starts as command`
    }
    case "EACCES":
    case "EPERM": {
      return `${shown} could not be started, as Windows denies access to it: correct its permissions, or allow it in the virus scanner`
    }
  }
  return undefined
}

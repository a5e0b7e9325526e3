import { Predicate } from "effect"
import { dirname } from "node:path"

export interface Trouble {
  /** As the end of "it cannot be written, because". */
  readonly reason: string
  readonly remedy: string
}

/** The file is there, and no lines can be added to it. */
export class NoRegularFile extends Error {
  constructor() {
    super("it is no regular file")
  }
}

const { hasProperty } = Predicate

/** Empty if it is no error of the file system. */
export const codeOf = (error: unknown): string =>
  hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : ""

const ofRotation = (error: unknown, path: string): Trouble | undefined => {
  const syscall = hasProperty(error, "syscall") ? error.syscall : ""
  if (syscall !== "rename" && syscall !== "unlink") return undefined
  const to = hasProperty(error, "dest") && Predicate.isString(error.dest) ? error.dest : path
  switch (codeOf(error)) {
    case "EISDIR":
    case "ENOTEMPTY":
    case "EEXIST":
      return { reason: `it is full, and the folder ${to} is in its way`, remedy: "remove that folder" }
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return {
        reason: syscall === "unlink" ? "it is full, and cannot be removed" : `it is full, and cannot become ${to}`,
        remedy: `let the user of mcp-lifeline change the folder ${dirname(path)}`
      }
    default:
      return undefined
  }
}

export const troubleOf = (error: unknown, path: string): Trouble => {
  const rotation = ofRotation(error, path)
  if (rotation !== undefined) return rotation
  switch (codeOf(error)) {
    case "ENOSPC":
      return { reason: "the disk is full", remedy: "make room on the disk" }
    case "EDQUOT":
      return { reason: "the quota of the disk is used up", remedy: "make room on the disk, or raise the quota" }
    case "EFBIG":
      return {
        reason: "it is as large as a file may be here",
        remedy: "move it away, or raise the limit for files (ulimit -f)"
      }
    case "ENOENT":
      return { reason: "its folder does not exist", remedy: `make the folder ${dirname(path)}` }
    case "ENOTDIR":
      return { reason: "a part of its path is no folder", remedy: `make ${dirname(path)} a folder` }
    case "ELOOP":
      return { reason: "it is a link", remedy: "remove the link, or name the file itself" }
    case "EISDIR":
      return { reason: "it is a folder", remedy: "remove the folder, or name a file in it" }
    case "EACCES":
    case "EPERM":
      return {
        reason: "this user may not write it",
        remedy: `let the user of mcp-lifeline write ${path} and its folder`
      }
    case "EROFS":
      return { reason: "its file system is read-only", remedy: "make the file system writable, or name another file" }
    case "EMFILE":
    case "ENFILE":
      return { reason: "too many files are open", remedy: "raise the limit of open files (ulimit -n)" }
    case "EIO":
      return { reason: "the disk does not work (EIO)", remedy: "repair the disk, or name a file on another one" }
    // A pipe or a socket that nobody reads cannot even be opened.
    case "ENXIO":
      return noFile
  }
  if (error instanceof NoRegularFile) return noFile
  return { reason: error instanceof Error ? error.message : String(error), remedy: `make ${path} writable` }
}

const noFile: Trouble = { reason: "it is no regular file", remedy: "remove it, or name another file" }

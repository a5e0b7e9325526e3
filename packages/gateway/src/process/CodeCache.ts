/**
 * What V8 has compiled of the program, kept for its next start, as Node.js 22.8 does with `module.enableCompileCache`: with it, `wrap` needs
 * half of the time and of the CPU until it answers. It is a folder `code` in the state folder. Whoever can write there runs code as this
 * user: a file that another user owns or may write is not used, as with all files of the state folder.
 */
import { ofUser } from "@mcp-lifeline/state/statePath"
import { createHash } from "node:crypto"
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { basename, join } from "node:path"
import { cachedDataVersionTag, setFlagsFromString } from "node:v8"
import { Script } from "node:vm"

/** How long the program has run when its code is kept: what a start needs is compiled then. */
const delay = 3000

/** How many files are kept: of versions of the program and of Node.js that take turns. */
const maxFiles = 4

/** How long a hash before the data is, in bytes. */
const hashLength = 32

const hash = (data: string | Uint8Array): Buffer => createHash("sha256").update(data).digest()

/** A file, as a script without a cache. */
export const plain = (file: string): Script => new Script(readFileSync(file, "utf8"), { filename: file })

/** Flags that Windows does not have are 0 there. Nothing waits for whoever would write to a named pipe. */
const readOnly = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)

/** What was kept, if nobody else could have written it and it is whole. */
const read = (path: string): Buffer | undefined => {
  const descriptor = openSync(path, readOnly)
  try {
    const { mode, uid } = fstatSync(descriptor)
    if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined
    const all = readFileSync(descriptor)
    const data = all.subarray(hashLength)
    return hash(data).equals(all.subarray(0, hashLength)) ? data : undefined
  } finally {
    closeSync(descriptor)
  }
}

const write = (folder: string, name: string, data: Buffer): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const unfinished = join(folder, `${name}.${process.pid}.tmp`)
  writeFileSync(unfinished, Buffer.concat([hash(data), data]), { flag: "wx", mode: 0o600 })
  renameSync(unfinished, join(folder, name))
  const written = (one: string) => statSync(join(folder, one)).mtimeMs
  const others = readdirSync(folder).filter((one) => one !== name).toSorted((one, other) =>
    written(other) - written(one)
  )
  for (const one of others.slice(maxFiles - 1)) rmSync(join(folder, one), { force: true })
}

/** Without a cache, everything works: nobody needs to know what was wrong with it. */
const attempt = <A>(work: () => A): A | undefined => {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** Where a user's code is kept. */
const folderOf = (): string => join(ofUser(), "code")

/** How what is kept of a file is called. */
const nameOf = (file: string, text: string): string =>
  `${basename(file)}-${hash(`${cachedDataVersionTag()} ${text}`).toString("hex", 0, 16)}`

/**
 * Compiles all of a file and keeps it, so that already its first start finds its code. Costs about as much as what that start saves. For the end of a
 * process, since it changes how V8 compiles for a moment. `NODE_DISABLE_COMPILE_CACHE` turns this off.
 */
export const prepare = (file: string, folder = attempt(folderOf)): void => {
  if (folder === undefined || process.env["NODE_DISABLE_COMPILE_CACHE"]) return
  attempt(() => {
    const text = readFileSync(file, "utf8")
    setFlagsFromString("--no-lazy")
    let made: Script
    try {
      // By another name: V8 would give what it has compiled of this file for the process itself.
      made = new Script(text, { filename: `${file}#whole` })
    } finally {
      setFlagsFromString("--lazy")
    }
    write(folder, nameOf(file, text), made.createCachedData())
  })
}

/** A file, as a script with what is kept of it. If nothing is, it will be kept. `NODE_DISABLE_COMPILE_CACHE` turns this off. */
export const script = (file: string, folder = attempt(folderOf)): Script => {
  if (folder === undefined || process.env["NODE_DISABLE_COMPILE_CACHE"]) return plain(file)
  const text = readFileSync(file, "utf8")
  const name = nameOf(file, text)
  const path = join(folder, name)
  const writtenAt = () => attempt(() => statSync(path).mtimeMs)
  const before = writtenAt()
  const cachedData = attempt(() => read(path))
  const made = new Script(text, { filename: file, cachedData })
  if (cachedData === undefined || made.cachedDataRejected === true) {
    const keep = () => {
      // Meanwhile it may have been kept whole.
      if (writtenAt() === before) attempt(() => write(folder, name, made.createCachedData()))
    }
    setTimeout(keep, delay).unref()
  }
  return made
}

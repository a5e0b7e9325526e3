/**
 * Windows does not replace, remove or open files that other programs have open. Virus scanners, indexers and readers soon close them, so
 * waiting helps.
 */

/** In milliseconds: less than `within` allows for all work on a file. */
export const patience = 3_000
const firstWait = 10
const longestWait = 200

const codes: ReadonlySet<unknown> = new Set(["EPERM", "EACCES", "EBUSY"])

/** A file was open in another program for too long, or may not be changed: the codes are the same. */
export class InUse extends Error {
  override readonly name = "InUse"
  readonly code: string
  readonly file: string

  constructor(file: string, cause: NodeJS.ErrnoException) {
    const code = String(cause.code)
    super(`${file} has been open in another program for ${patience / 1000} seconds, or may not be changed (${code})`, {
      cause
    })
    this.code = code
    this.file = file
  }
}

/** On Windows, work is done again while the file is in use, up to `patience`; then this rejects with `InUse`. */
export const retry = async <A>(
  file: string,
  work: () => Promise<A>,
  platform: NodeJS.Platform = process.platform
): Promise<A> => {
  let waited = 0
  for (let wait = firstWait;; wait = Math.min(2 * wait, longestWait)) {
    try {
      return await work()
    } catch (error) {
      const cause = error as NodeJS.ErrnoException | null
      if (platform !== "win32" || cause === null || !codes.has(cause.code)) throw error
      if (waited >= patience) throw new InUse(file, cause)
    }
    await new Promise((resolve) => setTimeout(resolve, wait))
    waited += wait
  }
}

/**
 * A time limit for work on files: the file system of a network may never answer.
 */

/** The file system has not answered in time, and may still do the work. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer"
}

/** How long a file system may take for one piece of work, in milliseconds. */
const usualLimit = 10_000

/** What has exceeded its limit and still goes on. */
const overdue = new Map<string, number>()

/**
 * Does the work, and rejects with a `NoAnswer` when it takes longer than `limit` milliseconds. `about` is the file or folder: until late
 * work on it ends, more work on it is rejected at once, because each occupies one of the few threads that Node.js has for files.
 */
export const within = async <A>(about: string, work: () => Promise<A>, limit: number = usualLimit): Promise<A> => {
  if (overdue.has(about)) throw new NoAnswer(`the file system of ${about} still does not answer`)
  let timer: NodeJS.Timeout | undefined
  const done = work()
  const limited = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      overdue.set(about, (overdue.get(about) ?? 0) + 1)
      const ended = (): void => {
        const rest = (overdue.get(about) ?? 0) - 1
        if (rest > 0) overdue.set(about, rest)
        else overdue.delete(about)
      }
      done.then(ended, ended)
      reject(new NoAnswer(`the file system of ${about} did not answer within ${limit / 1000} seconds`))
    }, limit)
  })
  try {
    return await Promise.race([done, limited])
  } finally {
    clearTimeout(timer)
  }
}

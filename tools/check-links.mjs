// Checks the links of all Markdown files: the file that a relative link names exists, and so does the heading that an anchor
// names. Links to files of this repository on GitHub, which READMEs of packages need on npm, are checked the same way. Other
// links to the web are not fetched.
import { existsSync, readFileSync, statSync } from "node:fs"
import { dirname, join, posix } from "node:path"
import { fileURLToPath } from "node:url"
import { capture } from "./run.mjs"

const root = fileURLToPath(new URL("../", import.meta.url))
const onGitHub = /^https:\/\/github\.com\/mcp-lifeline\/lifeline\/(?:blob|tree)\/main\//

const listed = await capture("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
const files = listed.trim().split("\n").filter((path) => existsSync(join(root, path)))

/** The lines of a page, with fenced blocks and comments blank. @param {string} path */
const prose = (path) => {
  let fence = ""
  return readFileSync(join(root, path), "utf8").replaceAll(
    /<!--.*?-->/gs,
    (comment) => comment.replaceAll(/[^\n]/g, "")
  )
    .split("\n").map((line) => {
      const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
      if (fence === "") {
        if (mark !== undefined) fence = mark
        return mark === undefined ? line : ""
      }
      if (mark?.startsWith(fence)) fence = ""
      return ""
    })
}

/** The anchors that GitHub makes of a page's headings, and those that the page sets itself. @param {string} path */
const anchorsOf = (path) => {
  /** @type {Map<string, number>} */
  const counts = new Map()
  /** @type {Set<string>} */
  const anchors = new Set()
  for (const line of prose(path)) {
    for (const [, id = ""] of line.matchAll(/<[^>]+\b(?:id|name)="([^"]+)"/g)) anchors.add(id)
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const text = heading.replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll(/<[^>]+>/g, "")
    const slug = text.toLowerCase().replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "").replaceAll(" ", "-")
    const count = counts.get(slug) ?? 0
    counts.set(slug, count + 1)
    anchors.add(count === 0 ? slug : `${slug}-${count}`)
  }
  return anchors
}

/** @type {Map<string, ReadonlySet<string>>} */
const known = new Map()

/** What is wrong with a link of a page, or `undefined`. @param {string} page @param {string} link */
const problemOf = (page, link) => {
  const isHere = onGitHub.test(link)
  if (!isHere && /^[a-z][a-z\d+.-]*:/i.test(link)) return undefined
  const [path = "", anchor] = decodeURI(link.replace(onGitHub, "")).split("#")
  const target = path === "" && !isHere ? page : posix.normalize(isHere ? path : posix.join(dirname(page), path))
  const absolute = join(root, target)
  if (!existsSync(absolute)) return "no such file"
  if (anchor === undefined || !target.endsWith(".md") || statSync(absolute).isDirectory()) return undefined
  const anchors = known.get(target) ?? anchorsOf(target)
  known.set(target, anchors)
  return anchors.has(anchor) ? undefined : `no heading #${anchor}`
}

/** @type {Array<string>} */
const problems = []
let count = 0
const pages = files.filter((path) => path.endsWith(".md"))
for (const page of pages) {
  // A link may go over two lines.
  const text = prose(page).join("\n").replaceAll(/(`+)[^`]+\1/g, (code) => code.replaceAll(/[^\n]/g, " "))
  const links = text.matchAll(/\]\(\s*<?([^\s)>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)|\b(?:src|href)="([^"]+)"/gm)
  for (const { 1: inline, 2: reference, 3: attribute, index } of links) {
    const link = inline ?? reference ?? attribute ?? ""
    const problem = problemOf(page, link)
    count++
    if (problem !== undefined) {
      problems.push(`${page}:${text.slice(0, index).split("\n").length}: ${link}: ${problem}`)
    }
  }
}
// Comments and messages of the code name pages, too.
for (const file of files.filter((path) => /\.(?:[cm]?[jt]s|json|sh)$/.test(path))) {
  for (const [page] of readFileSync(join(root, file), "utf8").matchAll(/(?<![\w./-])docs\/[\w/-]+\.md\b/g)) {
    if (!existsSync(join(root, page))) problems.push(`${file}: ${page}: no such file`)
  }
}

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
console.log(`${count} links of ${pages.length} pages; ${problems.length} problems`)

import { BaseSequencer, type TestSpecification } from "vitest/node"

/**
 * The files that take longest, in the order in which they start. The packages run one after the other, and a long file that starts
 * last leaves all workers but one idle; their sizes, by which a fresh clone is sorted otherwise, do not show it.
 */
const longest = [
  "core/test/model/Model",
  "core/test/model/Fleet",
  "core/test/keepalive/Cadence",
  "transport-http/test/LongLife",
  "transport-http/test/BackendKeepalive",
  "transport-http/test/Streams",
  "promise/test/Exit",
  "promise/test/Connect",
  "promise/test/Parity",
  "promise/test/Programs",
  "promise/test/FirstConnection",
  "gateway/test/EndToEnd",
  "gateway/test/Start",
  "examples/test/examples"
]

const rank = ({ moduleId }: TestSpecification): number => {
  const found = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
  return found === -1 ? longest.length : found
}

/** The long files first, the others as vitest sorts them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a sequencer is no array
    const usual = await super.sort(files)
    return usual.toSorted((a, b) => rank(a) - rank(b))
  }
}

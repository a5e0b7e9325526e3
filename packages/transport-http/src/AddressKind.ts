import { isIP } from "node:net"

export type AddressKind = "public" | "private" | "link" | "machine"

/** First match wins. */
type Ranges = ReadonlyArray<readonly [address: string, bits: number, kind: AddressKind]>

const ranges4: Ranges = [
  ["127.0.0.0", 8, "machine"],
  // A connection to 0.0.0.0 goes to this machine.
  ["0.0.0.0", 8, "machine"],
  ["169.254.0.0", 16, "link"],
  ["10.0.0.0", 8, "private"],
  ["172.16.0.0", 12, "private"],
  ["192.168.0.0", 16, "private"],
  ["100.64.0.0", 10, "private"],
  ["192.0.0.0", 24, "private"],
  ["198.18.0.0", 15, "private"],
  // Multicast, and what is reserved: nobody's.
  ["224.0.0.0", 3, "private"]
]

const ranges6: Ranges = [
  ["::", 128, "machine"],
  ["::1", 128, "machine"],
  ["fe80::", 10, "link"],
  ["fc00::", 7, "private"],
  ["fec0::", 10, "private"],
  ["ff00::", 8, "private"],
  // A translator of the local network.
  ["64:ff9b:1::", 48, "private"]
]

/** Addresses that embed an IPv4 address, and the byte at which it begins. */
const embedding: ReadonlyArray<readonly [address: string, bits: number, at: number]> = [
  ["::ffff:0:0", 96, 12],
  ["::ffff:0:0:0", 96, 12],
  ["::", 96, 12],
  ["64:ff9b::", 96, 12],
  ["2002::", 16, 2]
]

const bytes4 = (address: string): ReadonlyArray<number> => address.split(".").map(Number)

const bytes6 = (address: string): ReadonlyArray<number> => {
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const [a = 0, b = 0, c = 0, d = 0] = bytes4(tail?.[2] ?? "")
  const text = tail === null ? address : `${tail[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  const [before = [], after = []] = text.split("::").map((half) => half === "" ? [] : half.split(":"))
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0")
  return [...before, ...zeros, ...after].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

const isWithin = (address: ReadonlyArray<number>, range: ReadonlyArray<number>, bits: number): boolean =>
  address.every((byte, index) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - index * 8))) & 255
    return (byte & mask) === ((range[index] ?? 0) & mask)
  })

const find = (bytes: ReadonlyArray<number>, ranges: Ranges, parse: typeof bytes4): AddressKind =>
  ranges.find(([range, bits]) => isWithin(bytes, parse(range), bits))?.[2] ?? "public"

/** Undefined if the text is no IP address. */
export const ofAddress = (text: string): AddressKind | undefined => {
  // A zone names the interface, as in fe80::1%eth0.
  const address = text.replace(/%.*$/s, "")
  switch (isIP(address)) {
    case 4:
      return find(bytes4(address), ranges4, bytes4)
    case 6: {
      const bytes = bytes6(address)
      const own = ranges6.find(([range, bits]) => isWithin(bytes, bytes6(range), bits))
      if (own !== undefined) return own[2]
      const within = embedding.find(([range, bits]) => isWithin(bytes, bytes6(range), bits))
      return within === undefined ? "public" : find(bytes.slice(within[2], within[2] + 4), ranges4, bytes4)
    }
    default:
      return undefined
  }
}

/** Without a DNS lookup: undefined for names other than localhost. */
export const ofHost = (hostname: string): AddressKind | undefined =>
  /^(.*\.)?localhost\.?$/i.test(hostname) ? "machine" : ofAddress(hostname.replace(/^\[(.*)\]$/, "$1"))

/** For people, after "is". */
export const describe = (kind: Exclude<AddressKind, "public">): string =>
  ({
    private: "an address of a private network",
    link: "an address of the local link",
    machine: "an address of this machine"
  })[kind]

import { BlockList, isIP } from "node:net"

const form = "must be addresses or ranges with commas between them, such as 127.0.0.1,10.0.0.0/8"

const isAllOfIPv4 = (address: string, version: number, prefix: string | undefined): boolean => {
  if (version !== 6 || prefix === undefined || Number(prefix) > 96) return false
  const range = new BlockList()
  range.addSubnet(address, Number(prefix), "ipv6")
  return range.check("::ffff:1.2.3.4", "ipv6") && range.check("::ffff:254.3.2.1", "ipv6")
}

/** A text says what is wrong, as a clause. */
export const parse = (text: string): BlockList | string => {
  const list = new BlockList()
  for (const part of text.split(",").map((part) => part.trim())) {
    const [, address = "", prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(part) ?? []
    const version = isIP(address)
    const longest = version === 4 ? 32 : 128
    if (version === 0 || Number(prefix ?? longest) > longest) return `${form}; ${JSON.stringify(part)} is none`
    // Whoever could send requests straight to the gateway would be believed. The second is how IPv6 writes all of IPv4.
    if (Number(prefix ?? longest) === 0 || isAllOfIPv4(address, version, prefix)) {
      return `${form}, and not everybody's: ${part}`
    }
    list.addSubnet(address, Number(prefix ?? longest), version === 4 ? "ipv4" : "ipv6")
  }
  return list
}

/** What instructions ask of an account, added up. */
export const READ = 0;
export const SIGN = 1;
export const WRITE = 2;

/** The accounts of a message in the order in which they were named first, each once. */
export type Members = { keys: Uint8Array[]; roles: number[] };

/** Where the account stands among the members; it is added unless it is there, and what is asked of it adds up. */
export function addMember(members: Members, key: Uint8Array, role: number): number {
  const { keys, roles } = members;
  const known = keys.findIndex((one) => isSame(one, key));
  if (known === -1) {
    roles.push(role);
    return keys.push(key) - 1;
  }
  roles[known] = (roles[known] as number) | role;
  return known;
}

/**
 * The order of a message: signers first, and within each half what is written to first; the payer stays in front.
 * `place` says where each member comes to stand, `header` begins the message: signers, those of them that are only read,
 * and others that are only read.
 */
export function orderMembers({ roles }: Members): { order: number[]; place: number[]; header: number[] } {
  const order: number[] = [];
  const ends = [SIGN | WRITE, SIGN, WRITE, READ].map((role) => {
    for (let member = 0; member < roles.length; member++) if (roles[member] === role) order.push(member);
    return order.length;
  }) as [number, number, number, number];
  const place: number[] = [];
  for (let at = 0; at < order.length; at++) place[order[at] as number] = at;
  return { order, place, header: [ends[1], ends[1] - ends[0], ends[3] - ends[2]] };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < 32; at++) if (one[at] !== other[at]) return false;
  return true;
}

export type Account = { lamports: bigint; owner: string; data: Buffer; executable: boolean };

type Version = { slot: number; account: Account | undefined };

/**
 * What every account held, slot by slot: a fork puts the newest slots back, and a lagging node answers with older ones.
 * An account that no transaction touched has no versions; the runtime knows it.
 */
export class AccountHistory {
  private readonly versions = new Map<string, Version[]>();
  /** Addresses that a program owned at some time. Whether it still does, the version says. */
  private readonly owned = new Map<string, Set<string>>();

  /** The account as it was after `slot`; `untouched` where nothing ever changed it. */
  at(address: string, slot: number): Account | undefined | 'untouched' {
    const versions = this.versions.get(address);
    if (versions === undefined) return 'untouched';
    return versions.findLast((version) => version.slot <= slot)?.account;
  }

  /**
   * @param before what it held until now, needed the first time
   * @param keepFrom nobody asks for slots before this one
   */
  record(
    address: string,
    slot: number,
    change: { before: Account | undefined; after: Account | undefined },
    keepFrom = 0,
  ): void {
    let versions = this.versions.get(address);
    if (versions === undefined) {
      versions = [{ slot: 0, account: change.before }];
      this.versions.set(address, versions);
      if (change.before) this.own(change.before.owner, address);
    }
    if (change.after) this.own(change.after.owner, address);
    const last = versions.at(-1);
    if (last?.slot === slot) last.account = change.after;
    else versions.push({ slot, account: change.after });
    const oldest = versions.findLastIndex((version) => version.slot <= keepFrom);
    if (oldest > 0) versions.splice(0, oldest);
  }

  /** Forgets what happened after `slot`, and says what the account is then. */
  undo(address: string, slot: number): Account | undefined {
    const versions = this.versions.get(address) ?? [];
    while (versions.length > 1 && (versions.at(-1)?.slot ?? 0) > slot) versions.pop();
    return versions.at(-1)?.account;
  }

  /** Makes it so at all times, as if it had been there from the start. */
  amend(
    address: string,
    before: Account | undefined,
    change: (account: Account | undefined) => Account,
  ): void {
    const versions = this.versions.get(address) ?? [{ slot: 0, account: before }];
    for (const version of versions) {
      version.account = change(version.account);
      this.own(version.account.owner, address);
    }
    this.versions.set(address, versions);
  }

  /** The accounts that `owner` had after `slot`, in the order of their first change. */
  ownedBy(owner: string, slot: number): [string, Account][] {
    return [...(this.owned.get(owner) ?? [])].flatMap((address): [string, Account][] => {
      const account = this.at(address, slot);
      return account && account !== 'untouched' && account.owner === owner ? [[address, account]] : [];
    });
  }

  private own(owner: string, address: string): void {
    const addresses = this.owned.get(owner) ?? new Set();
    addresses.add(address);
    this.owned.set(owner, addresses);
  }
}

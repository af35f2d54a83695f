/**
 * What each instruction takes at most in compute units, measured on the committed program in LiteSVM, with texts of any
 * length; `searches` for addresses and accounts that it `creates` come on top. A test holds the table against random
 * transactions; `npm run program:report` prints what is usual.
 */
const TABLE = {
  init_config: { units: 3_000, searches: 1, creates: 1 },
  set_config: { units: 1_100, searches: 0, creates: 0 },
  propose_admin: { units: 1_000, searches: 0, creates: 0 },
  accept_admin: { units: 1_000, searches: 0, creates: 0 },
  register_organizer: { units: 3_900, searches: 1, creates: 1 },
  update_organizer: { units: 1_150, searches: 0, creates: 0 },
  propose_organizer_authority: { units: 1_100, searches: 0, creates: 0 },
  accept_organizer_authority: { units: 1_100, searches: 0, creates: 0 },
  create_event: { units: 4_900, searches: 2, creates: 1 },
  update_event: { units: 1_800, searches: 0, creates: 0 },
  cancel_event: { units: 1_600, searches: 0, creates: 0 },
  close_event: { units: 1_850, searches: 0, creates: 0 },
  mint_ticket: { units: 37_800, searches: 3, creates: 3 },
  transfer_ticket: { units: 21_800, searches: 1, creates: 1 },
  resell: { units: 32_000, searches: 1, creates: 1 },
  check_in: { units: 1_600, searches: 0, creates: 0 },
  revoke: { units: 13_300, searches: 0, creates: 0 },
  reissue: { units: 23_000, searches: 1, creates: 1 },
  close_ticket: { units: 13_500, searches: 0, creates: 0 },
};

/** What a mint takes more with each attribute: Token-2022 reads all that is there before it adds one. */
const ATTRIBUTES = [0, 7_100, 14_600, 23_400, 32_900];
/** An address costs this for each bump that is passed over because it lies on the curve. */
const BUMP = 340;
/** One address in a million is further from the highest bump. */
const UNLUCKY = 20;
/** Where somebody has sent lamports to a new account's address, three calls create it in place of one. */
const PREFUNDED = 2_400;
/** SetComputeUnitLimit and SetComputeUnitPrice count as well. */
const BUDGET_INSTRUCTION = 150;
/** Programs that are called may be newer on a cluster than here. */
const MARGIN = 1.1;

export type InstructionName = keyof typeof TABLE;

export type ComputeUse = {
  instruction: InstructionName;
  /** How many attributes of a mint are not empty; all four if it is not said. */
  attributes?: number | undefined;
  /** How far all its new addresses together are from bump 255; twenty each if it is not known. */
  bumps?: number | undefined;
};

/**
 * The compute limit for a transaction of these instructions, in units: more than they can take, and about 1.3 times what
 * a mint takes. For instructions on accounts with extensions, or in a currency of an unusual token program, simulate.
 * @param budgetInstructions of the compute budget program in the transaction, the one that sets the limit among them
 */
export function computeLimit(uses: readonly ComputeUse[], budgetInstructions = 1): number {
  const units = uses.reduce((sum, use) => sum + unitsOf(use), 0);
  return Math.ceil(units * MARGIN) + budgetInstructions * BUDGET_INSTRUCTION;
}

function unitsOf({ instruction, attributes = 4, bumps }: ComputeUse): number {
  const { units, searches, creates } = TABLE[instruction];
  const added = instruction === 'mint_ticket' ? ATTRIBUTES[attributes] : 0;
  if (added === undefined) throw new RangeError(`a ticket has up to four attributes, not ${attributes}`);
  return units + added + BUMP * (bumps ?? searches * UNLUCKY) + PREFUNDED * creates;
}

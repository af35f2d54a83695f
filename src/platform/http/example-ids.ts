/**
 * What examples refer to and nobody can make up: whoever sends an example puts their own in its place. The document
 * lists them under `x-example-ids`, so a program can do it, and a test does.
 */
export const exampleIds = {
  eventId: '0199e8a0-0000-7000-8000-000000000001',
  ticketTypeId: '0199e8a0-0000-7000-8000-000000000002',
  /** Sold by the seat. */
  seatedEventId: '0199e8a0-0000-7000-8000-000000000003',
  seatedTypeId: '0199e8a0-0000-7000-8000-000000000004',
  seatId: '0199e8a0-0000-7000-8000-000000000005',
  /** Nothing is left of it. */
  soldOutTypeId: '0199e8a0-0000-7000-8000-000000000006',
  waitingListEntryId: '0199e8a0-0000-7000-8000-000000000007',
  orderId: '0199e8a0-0000-7000-8000-000000000008',
  ticketId: '0199e8a0-0000-7000-8000-000000000009',
  /** A transfer that waits to be accepted. */
  transferId: '0199e8a0-0000-7000-8000-00000000000a',
  promoCodeId: '0199e8a0-0000-7000-8000-00000000000b',
  apiKeyId: '0199e8a0-0000-7000-8000-00000000000c',
  challengeId: '0199e8a0-0000-7000-8000-00000000000d',
  transactionId: 'TXN_20300601193000_SAMP0001',
  reservationId: 'RES_20300601193000_SAMP0001',
  lockId: 'LCK_20300601193000_SAMP0001',
  mint: 'SampMint1111111111111111111111111111111111',
  walletAddress: 'SampWa11et111111111111111111111111111111111',
  /** Of the challenge, by the wallet. */
  signature: `${'A'.repeat(86)}==`,
  /** What the QR code of the ticket says. */
  code: 'TS1-SAMPLE-CODE',
} as const;

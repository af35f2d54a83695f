import { type Role, roles } from '../actor.ts';

/**
 * Who may call an operation, for its description, and for `allowRoles`, which reads no body of anybody else. The verb
 * decides: a test compares these words with what is answered to each role.
 */
export const everybody: readonly Role[] = roles;
export const admins: readonly Role[] = ['admin'];
export const organisers: readonly Role[] = ['admin', 'organiser'];
export const staff: readonly Role[] = ['admin', 'organiser', 'support'];
/** Who sells and who buys. What is somebody's own is theirs and the staff's: others find nothing there. */
export const customers: readonly Role[] = ['admin', 'organiser', 'support', 'buyer'];
export const buyers: readonly Role[] = ['buyer'];
/** Who owns a ticket, and who may act in their place without being given the right to. */
export const givers: readonly Role[] = ['admin', 'buyer'];
export const doors: readonly Role[] = ['admin', 'organiser', 'support', 'scanner'];

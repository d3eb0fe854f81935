/** Who calls, and what they may do (spec section 4, "Auth"). */
import { ServiceError } from '../errors.ts';

export const ROLES = ['viewer', 'operator', 'approver', 'tenant_admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whoever a request was authenticated as. */
export interface Caller {
  tenant: string;
  /** The token's `sub`. */
  user: string;
  /** As the token has them; names that are no role of ours allow nothing. */
  roles: readonly string[];
}

/** Which roles do what a route asks for: `viewer` reads, and everybody else reads too. */
const GRANTED_BY: Record<Role, readonly Role[]> = {
  viewer: ROLES,
  operator: ['operator', 'tenant_admin'],
  approver: ['approver', 'tenant_admin'],
  tenant_admin: ['tenant_admin'],
};

/** @throws ServiceError FORBIDDEN when no role of the caller grants the needed one */
export function requireRole(caller: Caller, needed: Role): void {
  const granting = GRANTED_BY[needed];
  if (caller.roles.some((role) => (granting as readonly string[]).includes(role))) return;
  throw new ServiceError('FORBIDDEN', `This needs the role ${granting.join(' or ')}`);
}

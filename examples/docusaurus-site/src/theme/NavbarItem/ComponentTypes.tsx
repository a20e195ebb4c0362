import AccountNavbarItem, { SignOutNavbarItem } from '@site/src/components/AccountNavbarItem';
import ComponentTypes from '@theme-original/NavbarItem/ComponentTypes';

export default {
  ...ComponentTypes,
  'custom-account': AccountNavbarItem,
  'custom-sign-out': SignOutNavbarItem,
};

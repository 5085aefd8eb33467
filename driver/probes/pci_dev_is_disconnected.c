// SPDX-License-Identifier: GPL-2.0-only
/* pci_dev_is_disconnected() for modules. Lacking: 6.2 to 6.8 without the backport */
#include <linux/pci.h>

bool probe(struct pci_dev *pdev);
bool probe(struct pci_dev *pdev)
{
	return pci_dev_is_disconnected(pdev);
}

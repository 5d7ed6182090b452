"""Result files that other tools wrote, as measurements with the provenance "imported"."""

"""Import of people, cards, points and instruments from a workbook: read, compared, applied whole, undone."""

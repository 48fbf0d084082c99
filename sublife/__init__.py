"""sublife: lifecycle decides, events record, scheduler wakes."""

"""What can be asked: one router per noun."""

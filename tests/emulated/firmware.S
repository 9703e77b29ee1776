# Owns: the firmware of the emulated machine, the 64 KiB below 4 GiB. It goes from real mode to flat protected mode and
# enters Linux where its 32-bit boot protocol begins. machine.py has put everything else into memory, and defines
# IMAGE (where the image begins), PAGES (its length in pages of 4 KiB) and PARAMS (the boot parameters).
	.set	code_selector, 0x10	# Linux's boot protocol names these two
	.set	data_selector, 0x18
	.set	base, 0xffff0000

	.code16
real:	cli
	cld
	lgdtl	%cs:(descriptors - real)
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$code_selector, $(protected - real + base)

	.code32
protected:
	movl	$data_selector, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	# Bochs loads the image into host memory in one piece, but gives host memory to the guest in blocks, in the order in
	# which these are first touched. The image is where it should be only if all of it is touched first and in order.
	movl	$IMAGE, %ebx
	movl	$PAGES, %ecx
touch:	movl	(%ebx), %eax
	addl	$0x1000, %ebx
	loop	touch
	movl	$PARAMS, %esi
	xorl	%ebx, %ebx
	xorl	%ebp, %ebp
	xorl	%edi, %edi
	movl	$IMAGE, %eax
	jmp	*%eax

	.balign	8
table:	.quad	0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
descriptors:
	.word	. - table - 1
	.long	table - real + base

	.org	0xfff0			# where a processor begins
	.code16
	jmp	real
	.org	0x10000

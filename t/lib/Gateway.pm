package Gateway;

# An nginx of one test: its own folder, ports and configuration.  It runs as an
# ordinary child process and only that process is ever signalled.
#
#   NGINX              the binary (default /usr/sbin/nginx)
#   AI_PROXY_MODULE    the module's .so; empty: none is loaded
#   AI_PROXY_ASAN      1: preload the sanitizer's libraries
#   AI_PROXY_TEST_KEEP 1: keep the folder

use strict;
use warnings;

use Cwd ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use POSIX qw(:sys_wait_h);
use Test::More;

use Client;

# Nothing of this may ever appear in a log: every test uses these words for
# credentials and for what people say.
our @SECRETS = qw(sk-secret private-prompt);

my $port = 10000 + ($$ * 41) % 19000;

sub free_port {
    for (1 .. 2000) {
        $port = 10000 if ++$port > 29999;
        my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Proto => 'tcp', Listen => 1);
        if ($probe) {
            close $probe;
            return $port;
        }
    }
    die "no free port\n";
}

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or return '';
    local $/;
    return scalar <$in> // '';
}

sub module { return $ENV{AI_PROXY_MODULE} // '' }

sub nginx { return $ENV{NGINX} // '/usr/sbin/nginx' }

# Writes a configuration.  http, server, main, events: text of the contexts;
# server may hold PORT's own listen lines (then listen => 0).  workers: 1.
# %%PORT%%, %%DIR%% and %%PORT2%%.. are filled in.
sub new {
    my ($class, %args) = @_;
    my $dir = File::Temp::tempdir('ai-proxy-test-XXXXXX', TMPDIR => 1);
    chmod 0755, $dir;
    my $self = bless {
        owner => $$, dir => $dir, port => free_port(),
        allowed => $args{allowed} // [], secrets => [@SECRETS],
        args => \%args,
    }, $class;
    mkdir "$dir/$_" for qw(logs temp html conf);
    $self->configure(%args);
    return $self;
}

sub configure {
    my ($self, %args) = @_;
    %args = (%{ $self->{args} }, %args);
    my ($dir, $main) = ($self->{dir}, '');
    $main .= 'load_module ' . module() . ";\n" if module() ne '';
    $main .= "load_module $_;\n" for @{ $args{load} // [] };
    # Root's workers are unprivileged, as an installed nginx's are; a
    # sanitizer's report needs the master's rights.
    $main .= 'user ' . ($ENV{AI_PROXY_ASAN} ? 'root' : 'nobody nogroup')
        . ";\n" if $> == 0;
    # A binary upgrade starts the next master with what nginx was told to keep.
    $main .= join '', map { "env ${_}_OPTIONS;\n" } qw(ASAN UBSAN LSAN)
        if $ENV{AI_PROXY_ASAN};
    $main .= "env LD_PRELOAD;\n" if $ENV{AI_PROXY_ASAN};
    $main .= 'worker_processes ' . ($args{workers} // 1) . ";\n";
    $main .= "worker_shutdown_timeout 40s;\n"
        if $ENV{AI_PROXY_ASAN}
            && ($args{main} // '') !~ /worker_shutdown_timeout/;
    $main .= $args{main} // '';
    my $level = $args{log_level} // 'info';
    my $http = $args{http} // '';
    if (defined $args{server}) {
        my $listen = ($args{listen} // 1) ? "listen 127.0.0.1:%%PORT%%;" : '';
        $http .= "\nserver {\n    $listen\n$args{server}\n}\n";
    }
    my $temp = join '', map { "    ${_}_temp_path %%DIR%%/temp/$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);
    my $events = $args{events} // 'worker_connections 4096;';
    my $access = $args{access_log} // 'access_log off;';
    my $text = $args{text} // <<"EOF";
${main}pid %%DIR%%/nginx.pid;
error_log %%DIR%%/logs/error.log $level;
events { $events }
http {
$temp    $access
$http
}
EOF
    $text =~ s/%%DIR%%/$dir/g;
    $text =~ s/%%PORT%%/$self->{port}/g;
    $text =~ s/%%PORT(\d)%%/$self->{"port$1"} \/\/= free_port()/ge;
    my $file = "$dir/conf/nginx.conf";
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;
    $self->{conf} = $file;
    return $self;
}

sub environment {
    my ($self) = @_;
    my %env = %{ $self->{args}{env} // {} };
    if ($ENV{AI_PROXY_ASAN}) {
        my @libs = map { chomp(my $p = `gcc -print-file-name=$_`); $p }
            qw(libasan.so libubsan.so libstdc++.so.6);
        my $here = $INC{'Gateway.pm'} =~ s{[^/]+$}{}r;
        my $supp = Cwd::abs_path($here . 'lsan.supp');
        $env{LD_PRELOAD} = join ' ', @libs;
        $env{ASAN_OPTIONS} = "log_path=$self->{dir}/logs/asan:"
            . 'detect_leaks=1:abort_on_error=0:detect_odr_violation=0:'
            . ($ENV{AI_PROXY_ASAN_OPTIONS} // '');
        $env{UBSAN_OPTIONS} = "log_path=$self->{dir}/logs/ubsan:"
            . 'print_stacktrace=1';
        $env{LSAN_OPTIONS} = "suppressions=$supp:print_suppressions=0"
            if $supp;
    }
    return %env;
}

sub spawn {
    my ($self, @args) = @_;
    my %env = $self->environment;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    $ENV{$_} = $env{$_} for keys %env;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', "$self->{dir}/logs/stdout";
    open STDERR, '>>', "$self->{dir}/logs/stderr";
    exec nginx(), '-p', "$self->{dir}/", '-c', $self->{conf}, @args
        or POSIX::_exit(127);
}

# nginx -t: (exit status, what it said).
sub check {
    my ($self) = @_;
    unlink "$self->{dir}/logs/stderr";
    # A check ends without giving back what it read.
    local $ENV{AI_PROXY_ASAN_OPTIONS} = 'detect_leaks=0:';
    my $pid = $self->spawn('-t');
    waitpid $pid, 0;
    my $status = $?;
    my $said = slurp("$self->{dir}/logs/stderr");
    $self->{quiet} = 1;
    return ($status >> 8 || $status, $said);
}

sub start {
    my $class = shift;
    my $self = ref $class ? $class : $class->new(@_);
    # A binary upgrade needs a daemon: nginx refuses it to a child that runs in
    # the foreground.  Its process id comes from its own pid file.
    my $daemon = $self->{args}{daemon};
    $self->{pid} = $self->spawn('-g', $daemon ? 'daemon on;' : 'daemon off;');
    my $until = Client::now() + ($ENV{AI_PROXY_ASAN} ? 40 : 15);
    while (Client::now() < $until) {
        if ($self->{pid} && waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            if (!$daemon || $? != 0) {
                $self->show_logs;
                die "nginx did not start\n";
            }
        }
        last if $self->master && $self->workers && IO::Socket::INET->new(
            PeerAddr => '127.0.0.1', PeerPort => $self->{port});
        select undef, undef, undef, 0.02;
    }
    $self->{pid} //= $self->master;
    return $self;
}

# A start that must fail: (exit status, what nginx said).
sub start_fails {
    my $class = shift;
    my $self = ref $class ? $class : $class->new(@_);
    $self->{quiet} = 1;
    my $pid = $self->spawn('-g', 'daemon off;');
    my $until = Client::now() + 10;
    while (Client::now() < $until) {
        if (waitpid($pid, WNOHANG) == $pid) {
            my $status = $?;
            return ($status >> 8 || $status,
                slurp("$self->{dir}/logs/stderr") . $self->error_log);
        }
        select undef, undef, undef, 0.02;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return (0, 'it runs');
}

sub client { my ($self, %a) = @_; return Client->new(port => $self->{port}, %a) }
sub alive {
    my ($pid) = @_;
    return kill(0, $pid)
        && slurp("/proc/$pid/stat") !~ /^\d+ \(.*\) Z/;
}

sub url { my ($self, $p) = @_; return "http://127.0.0.1:$self->{port}" . ($p // '') }

# Process ids of the running master and of its workers.
sub master { my ($self) = @_; return int(slurp("$self->{dir}/nginx.pid") || 0) }

sub workers {
    my ($self, $master) = @_;
    $master //= $self->master;
    my @found = sort { $a <=> $b } split ' ',
        slurp("/proc/$master/task/$master/children");
    return @found;
}

# Resident memory of the first worker in KB.
sub worker_memory {
    my ($self) = @_;
    my ($worker) = $self->workers;
    return slurp("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m ? $1 : 0;
}

sub signal {
    my ($self, $name) = @_;
    kill $name, $self->master;
    return $self;
}

# Reloads and waits until new workers run and no old one accepts any more.
sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->workers;
    $self->signal('HUP');
    return $self->until(sub {
        my $log = $self->error_log;
        (grep { !$old{$_} } $self->workers)
            && !grep { $log !~ /\b$_#$_: gracefully shutting down/ } keys %old;
    });
}

sub until {
    my ($self, $condition, $seconds) = @_;
    my $until = Client::now() + ($seconds // 10);
    until ($condition->()) {
        return 0 if Client::now() > $until;
        select undef, undef, undef, 0.02;
    }
    return 1;
}

sub error_log { return slurp("$_[0]{dir}/logs/error.log") }

# Lines of a log under logs/, waiting for at least $count of them.
sub log_lines {
    my ($self, $name, $count, $seconds) = @_;
    my @lines;
    $self->until(sub {
        # nginx writes page by page: what has no end yet is not a line.
        @lines = slurp("$self->{dir}/logs/$name") =~ /^(.*)\n/mg;
        @lines >= ($count // 1);
    }, $seconds // 15);
    return @lines;
}

sub write_file {
    my ($self, $name, $text) = @_;
    my $file = "$self->{dir}/$name";
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out;
    return $file;
}

sub show_logs {
    my ($self) = @_;
    my $log = join "\n", grep { !/\[notice\]|closed keepalive|waiting for/ }
        split /\n/, $self->error_log;
    $log = "...\n" . substr $log, -2500 if length $log > 2500;
    diag("error.log of $self->{dir}:\n$log") if $log ne '';
    my $said = slurp("$self->{dir}/logs/stderr");
    diag("nginx said:\n$said") if $said ne '';
}

# Stops nginx gracefully (or at once) and checks what it leaves behind.
sub stop {
    my ($self, %how) = @_;
    return if $self->{stopped}++;
    for my $pid (grep { $_ } delete @$self{qw(pid upgraded)}) {
        # On TERM the master kills workers after a second, in the middle of a
        # sanitizer's last report.
        kill $how{signal} // ($ENV{AI_PROXY_ASAN} ? 'QUIT' : 'TERM'), $pid;
        my $until = Client::now() + ($ENV{AI_PROXY_ASAN} ? 60 : 15);
        my $gone = 0;
        while (Client::now() < $until) {
            $gone = waitpid($pid, WNOHANG);
            last if $gone == $pid || ($gone < 0 && !alive($pid));
            $gone = 0 if $gone < 0;
            select undef, undef, undef, 0.02;
        }
        if ($gone == 0) {
            fail("nginx stopped when it was told to");
            kill 'KILL', $pid, $self->workers($pid);
            waitpid $pid, 0;
        }
    }
    return if $self->{quiet} || ${^GLOBAL_PHASE} eq 'DESTRUCT';
    $self->verify;
    $self->show_logs unless Test::More->builder->is_passing;
}

sub verify {
    my ($self) = @_;
    my @bad;
    for my $line (split /\n/, $self->error_log) {
        next unless $line =~ /\[(?:alert|emerg)\]/;
        next if grep { $line =~ $_ } @{ $self->{allowed} };
        push @bad, $line;
    }
    my @reports = glob "$self->{dir}/logs/asan.* $self->{dir}/logs/ubsan.*";
    push @bad, map { slurp($_) } @reports;
    my $all = join '', map { slurp($_) } glob "$self->{dir}/logs/*";
    push @bad, grep { /AddressSanitizer|LeakSanitizer|runtime error:/ }
        split /\n/, $all unless @reports;
    for my $word (@{ $self->{secrets} }) {
        push @bad, "\"$word\" is in: $_"
            for grep { index($_, $word) >= 0 } split /\n/, $all;
    }
    if (@bad > 20) { $#bad = 19; push @bad, '...' }
    ok(!@bad, 'nothing alarming and no secret in the logs')
        or diag(join "\n", map { substr $_, 0, 4000 } @bad);
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    local ($?, $@);
    $self->stop;
    if ($ENV{AI_PROXY_TEST_KEEP}) {
        print STDERR "# kept $self->{dir}\n";
    } else {
        File::Path::remove_tree($self->{dir});
    }
}

1;
